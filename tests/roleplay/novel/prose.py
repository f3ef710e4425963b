"""Own prose in several languages, cut to any length for tests of encodings and languages."""

SENTENCES = {
    "zh-Hans": (
        "阿岚把灯放在窗台上，回头看了看门外的雨。",
        "“船又晚了。”小满说着，把伞收起来靠在墙边。",
        "老船长没有回答，只是慢慢地卷他的烟。",
        "码头上的人都走光了，剩下几只空木箱。",
        "她想起母亲说过的话，心里忽然一紧。",
        "“你父亲写的信，我一直带在身上。”周伯低声道。",
        "他们沿着河堤走了很久，谁也没有先开口。",
        "远处传来钟声，一下，又一下，像是在数着什么。",
        "第二天早晨，雾还没有散，渡口已经有人在等。",
        "这件事后来村里人说了许多年，各有各的说法。",
    ),
    "zh-Hant": (
        "阿嵐把燈放在窗臺上，回頭看了看門外的雨。",
        "「船又晚了。」小滿說著，把傘收起來靠在牆邊。",
        "老船長沒有回答，只是慢慢地捲他的菸。",
        "碼頭上的人都走光了，剩下幾隻空木箱。",
        "她想起母親說過的話，心裡忽然一緊。",
        "「你父親寫的信，我一直帶在身上。」周伯低聲道。",
        "他們沿著河堤走了很久，誰也沒有先開口。",
        "遠處傳來鐘聲，一下，又一下，像是在數著什麼。",
        "第二天早晨，霧還沒有散，渡口已經有人在等。",
        "這件事後來村裡人說了許多年，各有各的說法。",
    ),
    "ja": (
        "小満は傘をたたんで、窓の外の雨を見ていた。",
        "「船はまた遅れたね」と彼女は言った。",
        "老人は返事をせず、ゆっくりと煙草を巻いている。",
        "港にはもう誰もいなくて、空の木箱だけが残っていた。",
        "母の言葉を思い出すと、胸が急に苦しくなった。",
        "「お父さんの手紙だ。ずっと持っていたんだよ」",
        "二人は川沿いの道を歩いたが、どちらも口を開かなかった。",
        "遠くで鐘が鳴り、カモメが一羽、橋の上を飛んでいった。",
        "翌朝、霧がまだ晴れないうちに、渡し場には人が待っていた。",
        "この話は村で長いあいだ語られた。",
    ),
    "ko": (
        "소만은 우산을 접고 창밖의 비를 바라보았다.",
        "“배가 또 늦었네.” 그녀가 조용히 말했다.",
        "노인은 대답하지 않고 천천히 담배를 말고 있었다.",
        "부두에는 이제 아무도 없고 빈 상자만 남아 있었다.",
        "어머니의 말이 떠오르자 가슴이 갑자기 아파 왔다.",
        "“아버지가 쓴 편지야. 내가 계속 가지고 있었지.”",
        "두 사람은 강가의 길을 오래 걸었지만 아무도 먼저 입을 열지 않았다.",
        "멀리서 종소리가 한 번, 또 한 번 들려왔다.",
        "다음 날 아침 안개가 걷히기도 전에 나루터에는 사람이 기다리고 있었다.",
        "그 이야기는 마을에서 오랫동안 전해졌다.",
    ),
    "en": (
        "Mary put the lamp on the sill and looked out at the rain. ",
        "“Late again,” said Tom, and he leaned his umbrella on the wall. ",
        "The old captain didn’t answer; he rolled his tobacco slowly. ",
        "Nobody was left on the pier — only a few empty boxes. ",
        "She thought of what her mother had said, and her heart sank. ",
        "“It’s your father’s letter,” he whispered. “I’ve always carried it.” ",
        "They walked along the river for a long time, and neither spoke. ",
        "Far away a bell rang once, and once again, as if it were counting. ",
        "Next morning people were waiting at the ferry before the fog had gone. ",
        "In the village they told the story for years. ",
    ),
    "fr": (
        "Élise posa la lampe près de la fenêtre et regarda la pluie. ",
        "« Encore en retard », dit-il à voix basse, le cœur serré. ",
        "Le vieux capitaine ne répondit pas ; il roulait son tabac. ",
        "Il n’y avait plus personne sur la jetée, déjà déserte. ",
        "Elle se rappela ce que sa mère lui avait répété cent fois. ",
        "« C’est la lettre de ton père, je l’ai toujours gardée. » ",
        "Ils marchèrent longtemps le long du fleuve, où rien ne bougeait. ",
        "Au loin, une cloche sonna, comme pour compter les années. ",
        "Le lendemain, des gens attendaient déjà près du bac. ",
        "Au village, on raconta l’histoire à sa façon. ",
    ),
}


def prose(language: str, length: int) -> str:
    """About ``length`` characters of whole sentences, three to a line, in a changing order."""
    told, size, number = [], 0, 0
    sentences = SENTENCES[language]
    while size < length:
        sentence = sentences[(number * 7 + number // 10) % len(sentences)]
        told.append(sentence + "\n" * (number % 3 == 2))
        size += len(sentence)
        number += 1
    return "".join(told)
