"use strict";
const numbers = JSON.parse(document.getElementById("numbers").textContent);

for (const figure of document.querySelectorAll("[data-curve]")) {
  const curve = numbers.curves[figure.dataset.curve];
  const svg = figure.querySelector("svg");
  const cursor = svg.querySelector(".cursor");
  const readout = figure.querySelector(".readout");
  const resting = readout.textContent;
  const [left, right, top, bottom] = numbers.plot;
  const [low, high] = [curve.thresholds[0], curve.thresholds.at(-1)];
  const most = Math.max(...curve.hours) || 1;

  const show = (index) => {
    const x = left + ((right - left) * (curve.thresholds[index] - low)) / (high - low || 1);
    cursor.removeAttribute("hidden");
    cursor.firstChild.setAttribute("x1", x);
    cursor.firstChild.setAttribute("x2", x);
    cursor.lastChild.setAttribute("cx", x);
    cursor.lastChild.setAttribute("cy", top + (bottom - top) * (1 - curve.hours[index] / most));
    readout.textContent = curve.labels[index];
  };
  const at = (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * numbers.width;
    const place = low + ((x - left) / (right - left)) * (high - low);
    const distances = curve.thresholds.map((threshold) => Math.abs(threshold - place));
    show(distances.indexOf(Math.min(...distances)));
  };
  svg.addEventListener("pointermove", at);
  svg.addEventListener("pointerdown", at);
  svg.addEventListener("pointerleave", () => {
    cursor.setAttribute("hidden", "");
    readout.textContent = resting;
  });
}

for (const sample of document.querySelectorAll(".sample")) {
  const audio = sample.querySelector("audio");
  if (!audio) continue;
  const played = sample.querySelector(".played");
  const seconds = Number(audio.dataset.seconds);
  let end = Infinity;
  const follow = () => {
    played.style.width = `${Math.min(100, (100 * audio.currentTime) / seconds)}%`;
    if (audio.currentTime >= end) {
      audio.pause();
      end = Infinity;
    }
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener("play", () => {
    sample.classList.add("playing");
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    follow();
  });
  audio.addEventListener("seeked", follow);
  audio.addEventListener("ended", () => { end = Infinity; });
  for (const word of sample.querySelectorAll(".words button")) {
    word.addEventListener("click", () => {
      audio.currentTime = Number(word.dataset.start);
      end = Number(word.dataset.end);
      audio.play();
    });
  }
}
