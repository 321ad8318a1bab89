"use strict";
(() => {
  const element = id => document.getElementById(id);
  const { draw, cards } = JSON.parse(element("index").textContent);
  const place = `xmodal-review:${draw}`;
  const ALL_DONE = element("done").textContent;
  const HEARD = { right: "right", wrong: "wrong", unsure: "unsure" };
  const names = Array.from(element("names").options, option => option.value);
  // Every answer in the order it was given; the last one to a question counts, and undo takes the last one back.
  let state = { reviewer: "", filter: "", at: 0, given: [] };
  let selected = null, isStored = true, isSaved = true, shown = -1;
  let seconds = 0, since = performance.now();

  function restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(place));
      if (kept && Array.isArray(kept.given)) state = { ...state, ...kept };
    } catch (error) {
      isStored = false;
    }
    if (!cards[state.at]) state.at = 0;
    if (!Array.from(element("filter").options).some(option => option.value === state.filter)) state.filter = "";
    isSaved = state.given.length === 0;
  }

  function store() {
    try {
      localStorage.setItem(place, JSON.stringify(state));
      isStored = true;
    } catch (error) {
      isStored = false;
    }
    if (!isStored) notice("This browser keeps no answers: save them before you close the page.");
  }

  function notice(text) {
    element("notice").textContent = text;
  }

  // By card and class, the answer that counts.
  function answers() {
    const last = new Map();
    for (const answer of state.given) last.set(JSON.stringify([answer.card, answer.name]), answer);
    return last;
  }

  function answerTo(card, name, last = answers()) {
    return last.get(JSON.stringify([card, name]));
  }

  function open(card, last) {
    return cards[card].names.filter(
      name => (state.filter === "" || name === state.filter) && !answerTo(card, name, last)
    );
  }

  function isInFilter(card) {
    return state.filter === "" || cards[card].names.includes(state.filter);
  }

  // The next card with a question, from `first` on and then from the beginning; -1 if there is none.
  function openFrom(first) {
    const last = answers();
    for (let step = 0; step < cards.length; step++) {
      const card = (first + step) % cards.length;
      if (open(card, last).length) return card;
    }
    return -1;
  }

  function beside(step) {
    for (let card = state.at + step; cards[card]; card += step) if (isInFilter(card)) return card;
    return state.at;
  }

  function takeSeconds() {
    const taken = seconds + (document.hidden ? 0 : (performance.now() - since) / 1000);
    seconds = 0;
    since = performance.now();
    return Math.round(taken * 10) / 10;
  }

  function make(tag, text, className) {
    const made = document.createElement(tag);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function show(card, name = null) {
    if (!cards.length) return finish("There is nothing to ask: every clip of the draw is answered.");
    element("card").hidden = false;
    element("done").hidden = true;
    if (card !== state.at) notice("");
    state.at = card;
    selected = name || open(card)[0] || cards[card].names[0];
    if (card !== shown) load(card);
    drawQuestions();
    store();
  }

  function load(card) {
    const content = JSON.parse(element(`card-${card}`).textContent);
    shown = card;
    const images = content.frames.map((source, number) => {
      const image = make("img", "");
      image.src = source;
      image.alt = `frame ${number + 1} of the clip`;
      return image;
    });
    element("frames").replaceChildren(...images);
    element("spectrogram").src = content.spectrogram;
    element("source").textContent = `${content.source}, ${content.start_s.toFixed(1)}–${content.end_s.toFixed(1)} s`;
    cards[card].scores = new Map(content.questions.map(asked => [asked.name, asked]));
    element("sound").src = content.sound;
    closeAlso();
    takeSeconds();
    play();
  }

  function play() {
    const sound = element("sound");
    sound.currentTime = 0;
    sound.play().catch(() => {
      // Browsers play nothing before the first click or key.
      if (sound.paused && !state.given.length) notice("Press Play to hear the clip; from then on clips play at once.");
    });
  }

  function drawQuestions() {
    const last = answers();
    const rows = cards[state.at].names.map(name => {
      const scores = cards[state.at].scores.get(name);
      const button = make("button", "");
      button.type = "button";
      button.append(make("span", name, "name"));
      const stated = [["seen", scores.visual], ["heard", scores.audio]].filter(([, score]) => score !== null);
      button.append(make("span", stated.map(([by, score]) => `${by} ${score.toFixed(2)}`).join(", "), "scores"));
      const answer = (answerTo(state.at, name, last) || {}).answer || "";
      button.append(make("span", answer, `answer ${HEARD[answer] || ""}`));
      button.setAttribute("aria-current", String(name === selected));
      button.addEventListener("click", () => show(state.at, name));
      const row = make("li", "");
      row.append(button);
      return row;
    });
    element("questions").replaceChildren(...rows);
    const too = [...last.values()].filter(answer => answer.card === state.at && answer.answer === "also");
    element("heard-too").hidden = !too.length;
    element("heard-too").textContent = `Also heard: ${too.map(answer => answer.name).join(", ")}`;
    const total = cards.reduce((sum, card) => sum + card.names.length, 0);
    const done = cards.reduce((sum, card, at) => sum + card.names.filter(name => answerTo(at, name, last)).length, 0);
    element("bar").value = done;
    const text = `${done} of ${total} answered`;
    if (element("progress").textContent !== text) element("progress").textContent = text;
    element("undo").disabled = !state.given.length;
  }

  function finish(text) {
    element("card").hidden = true;
    element("done").hidden = false;
    element("done").textContent = text || ALL_DONE;
    element("sound").pause();
    shown = -1;
  }

  function give(name, answer) {
    state.given.push({ card: state.at, name, answer, seconds: takeSeconds() });
    isSaved = false;
    store();
  }

  function say(answer) {
    if (element("card").hidden) return;
    give(selected, answer);
    const rest = open(state.at);
    if (rest.length) return show(state.at, rest[0]);
    const card = openFrom(state.at + 1);
    drawQuestions();
    if (card < 0) finish(state.filter && "Every question about this class is answered. Choose another, or save.");
    else show(card);
  }

  function addAlso(event) {
    event.preventDefault();
    const written = element("also-name").value.trim().normalize("NFC");
    const name = names.find(known => known.toLowerCase() === written.toLowerCase()) || written;
    if (!name) return element("also-name").focus();
    // A class that the card asks about is answered there.
    give(name, cards[state.at].names.includes(name) ? "right" : "also");
    element("also-name").value = "";
    drawQuestions();
    element("also-name").focus();
  }

  function openAlso() {
    if (element("card").hidden) return;
    element("also-form").hidden = false;
    element("also").setAttribute("aria-expanded", "true");
    element("also-name").focus();
  }

  function closeAlso() {
    if (element("also-form").contains(document.activeElement)) element("also").focus();
    element("also-form").hidden = true;
    element("also").setAttribute("aria-expanded", "false");
    element("also-name").value = "";
  }

  function undo() {
    const taken = state.given.pop();
    if (!taken) return;
    isSaved = false;
    if (!isInFilter(taken.card)) element("filter").value = state.filter = "";
    show(taken.card, cards[taken.card].names.includes(taken.name) ? taken.name : null);
  }

  // RFC 4180; a cell that a spreadsheet would take for a formula begins with an apostrophe, which is taken off again.
  function cell(text) {
    const guarded = /^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n;\t]|^\s|\s$/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
  }

  function save() {
    const reviewer = state.reviewer.trim();
    if (!reviewer) {
      notice("Write your name first: answers of several people are kept apart by it.");
      return element("reviewer").focus();
    }
    const rows = [...answers().values()].map(
      answer => [cards[answer.card].clip_id, answer.name, answer.answer, reviewer, answer.seconds.toFixed(1)]
    );
    const text = [["clip_id", "class", "answer", "reviewer", "seconds"], ...rows]
      .map(row => `${row.map(cell).join(",")}\r\n`).join("");
    const link = make("a", "");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    const plain = reviewer.normalize("NFKD").replace(/[^\w]+/g, "-").replace(/^-+|-+$/g, "").toLowerCase();
    // Names in the order of time: of two files, the later one's answers count.
    const time = new Date().toISOString().slice(0, 19).replace(/[-:]/g, "");
    link.download = `answers-${plain || "reviewer"}-${time}-${draw}.csv`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    isSaved = true;
    notice(`${rows.length} answers are in ${link.download}.`);
  }

  const act = {
    right: () => say("right"), wrong: () => say("wrong"), unsure: () => say("unsure"),
    also: () => (element("also-form").hidden ? openAlso() : closeAlso()), undo,
    next: () => show(beside(1)), back: () => show(beside(-1)), replay: play,
  };
  const KEYS = {
    y: "right", n: "wrong", u: "unsure", a: "also", z: "undo", p: "replay", ArrowRight: "next", ArrowLeft: "back",
  };
  for (const [id, action] of Object.entries(act)) element(id).addEventListener("click", action);
  element("save").addEventListener("click", save);
  element("also-form").addEventListener("submit", addAlso);
  element("also-close").addEventListener("click", closeAlso);
  addEventListener("keydown", event => {
    if (event.key === "Escape" && !element("also-form").hidden) return closeAlso();
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest("input, select, audio")) return;
    const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    act[action]();
  });
  element("reviewer").addEventListener("input", event => {
    state.reviewer = event.target.value;
    store();
  });
  element("filter").addEventListener("change", event => {
    state.filter = event.target.value;
    const card = openFrom(isInFilter(state.at) ? state.at : 0);
    if (card < 0) show(isInFilter(state.at) ? state.at : beside(1));
    else show(card);
    event.target.blur();
  });
  element("sound").addEventListener("timeupdate", event => {
    const { currentTime, duration } = event.target;
    element("playhead").style.left = `${duration ? 100 * Math.min(1, currentTime / duration) : 0}%`;
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) seconds += (performance.now() - since) / 1000;
    since = performance.now();
  });
  addEventListener("beforeunload", event => {
    if (!isSaved && !isStored) event.preventDefault();
  });

  restore();
  element("reviewer").value = state.reviewer;
  element("filter").value = state.filter;
  if (!cards.length) show(0);
  else {
    const card = open(state.at).length ? state.at : openFrom(0);
    if (card >= 0) show(card);
    else {
      show(state.at);
      finish();
    }
  }
})();
