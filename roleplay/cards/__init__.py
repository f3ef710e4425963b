"""Character cards, lorebooks and chats of other programs: parse and format, bytes in, bytes out.

    card = read_card(path.read_bytes())         # formats: JSON, PNG, CHARX; V1, V2, V3
    card.text("first_mes"), card.book           # card: fields by the names of V2 and V3
    write_card(card, "png", picture=picture)    # the same card: what nobody knows in it is kept

``lorebook`` and ``world_info`` read and write lorebooks, ``pages`` makes wiki pages of them and
back, ``chat`` reads and writes SillyTavern's chats, ``examples`` finds real lines for a card.
Reading is lenient and within limits, for files come from strangers; writing is strict.
"""
