"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const [good] = data.labels;
const key = `speechmill-review-${data.sample}`;
const by = (id) => document.getElementById(id);
const [audio, text, speaker, labels, missing] = ["audio", "text", "speaker", "labels", "missing"].map(by);

// segment id -> {faults: [label], text, speaker}; what isn't there wasn't changed
let said = {};
let at = 0;

const load = () => {
  try {
    const kept = JSON.parse(localStorage.getItem(key) || "{}");
    said = kept.said || {};
    at = Math.min(Math.max(0, kept.at || 0), data.items.length - 1);
  } catch {
    said = {}; // another page's, or a browser that keeps nothing
  }
};
const keep = () => {
  try {
    localStorage.setItem(key, JSON.stringify({ said, at }));
  } catch {
    by("count").title = "This browser keeps nothing: save before you close the page.";
  }
};
const of = (item) => said[item.id] || {};
const change = (changed) => {
  const item = data.items[at];
  said[item.id] = { ...of(item), ...changed };
  keep();
  show();
};

const show = () => {
  const item = data.items[at];
  const mine = of(item);
  const judged = data.items.filter((one) => (of(one).verdict || []).length).length;
  by("progress").max = data.items.length;
  by("progress").value = judged;
  by("count").textContent = `${judged} of ${data.items.length} judged`;
  by("place").textContent =
    `${at + 1} of ${data.items.length}: ${item.id}, ${item.language || "no language"}, ${item.seconds.toFixed(1)} s`;
  if (text.value !== (mine.text ?? item.text)) text.value = mine.text ?? item.text;
  if (speaker.value !== (mine.speaker ?? item.speaker)) speaker.value = mine.speaker ?? item.speaker;
  text.classList.toggle("edited", text.value !== item.text);
  speaker.classList.toggle("edited", speaker.value !== item.speaker);
  missing.hidden = !item.missing;
  missing.textContent = item.missing ? `No audio: ${item.missing}` : "";
  audio.hidden = !item.clip;
  if (audio.dataset.of !== item.id) {
    audio.dataset.of = item.id;
    if (item.clip) audio.src = item.clip.split("/").map(encodeURIComponent).join("/");
    else audio.removeAttribute("src");
  }
  for (const button of labels.children) {
    button.setAttribute("aria-pressed", (mine.verdict || []).includes(button.dataset.label));
  }
  by("back").disabled = at === 0;
  by("next").disabled = at === data.items.length - 1;
};
const play = () => {
  if (!data.items[at].clip) return;
  if (audio.paused) audio.play().catch(() => {});
  else audio.pause();
};
const move = (step) => {
  const to = Math.min(Math.max(0, at + step), data.items.length - 1);
  if (to === at) return;
  audio.pause();
  at = to;
  keep();
  show();
};
const judge = (label) => {
  const verdict = of(data.items[at]).verdict || [];
  if (verdict.includes(label)) change({ verdict: verdict.filter((one) => one !== label) });
  else if (label === good) change({ verdict: [good] });
  else change({ verdict: [...verdict.filter((one) => one !== good), label] });
  if (label === good && !verdict.includes(good)) move(1);
};

const cell = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
const csv = () => {
  const rows = [["sample", "segment", "verdict", "text", "speaker"]];
  for (const item of data.items) {
    const mine = of(item);
    if (!(mine.verdict || []).length) continue;
    const edited = (name) => ((mine[name] ?? item[name]) === item[name] ? "" : mine[name]);
    rows.push([data.sample, item.id, mine.verdict.join(" "), edited("text"), edited("speaker")]);
  }
  return rows.map((cells) => cells.map(cell).join(",") + "\r\n").join("");
};
const save = () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
  link.download = "verdicts.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};

data.labels.forEach((label, number) => {
  const button = document.createElement("button");
  button.dataset.label = label;
  button.textContent = `${number + 1} ${label.replaceAll("-", " ")}`;
  button.addEventListener("click", () => judge(label));
  labels.append(button);
});
text.addEventListener("input", () => change({ text: text.value }));
speaker.addEventListener("input", () => change({ speaker: speaker.value }));
by("back").addEventListener("click", () => move(-1));
by("next").addEventListener("click", () => move(1));
by("save").addEventListener("click", save);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === text || event.target === speaker) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const label = data.labels[Number(event.key) - 1];
  const known = { " ": play, ArrowRight: () => move(1), ArrowLeft: () => move(-1), e: () => text.focus(), s: () => speaker.focus() };
  const act = label ? () => judge(label) : known[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
load();
show();
