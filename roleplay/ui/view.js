// What js_on_load of a view runs: clicks on [data-do] become events, a turn is edited where it
// stands, and what is newest stays in sight. `element` and `trigger` are Gradio's.
const root = () => element.querySelector(".rp-turns") || element.firstElementChild;

function editor(turn, act) {
  const words = root().dataset, box = document.createElement("div");
  const text = document.createElement("textarea"), row = document.createElement("div");
  box.className = "rp-editor";
  text.value = act === "insert" ? "" : turn.dataset.text;
  text.rows = Math.max(2, text.value.split("\n").length);
  text.placeholder = act === "insert" ? words.insertHint : "";
  text.setAttribute("aria-label", act === "insert" ? words.insertHint : words.keep);
  const close = () => { box.remove(); turn.querySelector(".rp-more")?.focus(); };
  const save = () => { trigger("click", {do: act, at: +turn.dataset.at, text: text.value}); close(); };
  for (const [word, run] of [[words.keep, save], [words.cancel, close]]) {
    const button = document.createElement("button");
    button.textContent = word;
    button.onclick = event => { event.stopPropagation(); run(); };
    row.append(button);
  }
  text.onkeydown = event => {
    if (event.key === "Escape") close();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); save(); }
  };
  element.querySelectorAll(".rp-editor").forEach(old => old.remove());
  box.append(text, row);
  turn.querySelector(".rp-bubble").append(box);
  text.focus();
}

element.addEventListener("click", event => {
  const button = event.target.closest("[data-do]"), turn = button?.closest("[data-at]");
  if (!button || !element.contains(button)) return;
  const act = button.dataset.do;
  if (act === "more") {
    const open = turn.classList.toggle("rp-open");
    button.setAttribute("aria-expanded", open);
  } else if (["edit", "teach", "insert"].includes(act)) editor(turn, act);
  else if (act === "copy") {
    navigator.clipboard?.writeText(button.dataset.text ?? turn.dataset.text);
    button.textContent = root()?.dataset.copied ?? "✓";
  } else {
    if (act === "meet" || act === "ask") document.getElementById("tabs")?.scrollIntoView();
    trigger(act === "again" ? "retry" : "click", {...button.dataset, at: turn ? +turn.dataset.at : null});
  }
});

const scroller = element.closest(".rp-scroll");
if (scroller) {
  let count = 0;
  new MutationObserver(() => {
    if (scroller.querySelector(".rp-editor")) return;
    const now = scroller.querySelectorAll(".rp-turn").length;
    const near = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 160;
    if (now > count || near) scroller.scrollTop = scroller.scrollHeight;
    count = now;
  }).observe(scroller, {childList: true, subtree: true, characterData: true});
}
