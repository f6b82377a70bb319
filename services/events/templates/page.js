// "Remind me": makes a notification of the event that the page shows.
"use strict";

const form = document.getElementById("remind");
const said = document.getElementById("said");
const text = (id) => document.getElementById(id)?.textContent.trim() ?? "";
const begins = new Date(document.getElementById("when").dateTime);
const dueAt = (minutes) => new Date(begins.getTime() - minutes * 60_000);

// What the notifications service takes at most, in code points.
const SUBJECT = 70;
const CONTENT = 700;
// An answer takes milliseconds; a network that says nothing for so long is away.
const PATIENCE = 15_000;

function say(message, isProblem = false) {
  said.className = isProblem ? "problem" : "";
  said.textContent = message;
}

function shortened(message, most) {
  const letters = [...message];
  return letters.length > most ? letters.slice(0, most - 1).join("") + "…" : message;
}

function shown(time) {
  return time.toLocaleString("en-GB", { dateStyle: "full", timeStyle: "short" });
}

function notification(address, due) {
  const subject = `Reminder: ${text("title").replace(/\p{Cc}+/gu, " ")}`;
  const facts = [text("title"), [text("when"), text("where")].filter(Boolean).join(", ")].join("\n");
  const link = location.href.split("#")[0];
  const room = CONTENT - [...facts, ...link].length - 4;
  const content = [facts, shortened(text("description"), room), link].join("\n\n");
  return {
    subject: shortened(subject, SUBJECT),
    content,
    to_mail: address,
    scheduled_time: due.toISOString().slice(0, 19),
  };
}

// What the service says is wrong, in the words of the form.
async function refusal(answer) {
  if (answer.status !== 422) {
    return "The reminder could not be stored. Try again in a minute.";
  }
  const { details } = await answer.json();
  const names = { to_mail: "The mail address", scheduled_time: "The time" };
  return details.map(({ field, message }) => `${names[field] ?? field} ${message}.`).join(" ");
}

async function sendsMails() {
  const ready = await fetch(`${form.dataset.to}/readyz`, { signal: AbortSignal.timeout(PATIENCE) });
  return (await ready.json()).mail !== "off";
}

async function remind() {
  const address = document.getElementById("mail").value.trim();
  const due = dueAt(Number(document.getElementById("before").value));
  const answer = await fetch(`${form.dataset.to}/notifications`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(notification(address, due)),
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (answer.status !== 201) {
    return say(await refusal(answer), true);
  }
  const sends = await sendsMails().catch(() => true);
  say(sends
    ? `A mail will remind ${address} on ${shown(due)}.`
    : `The reminder for ${shown(due)} is kept, but no mails are sent from here at present.`);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  say("Storing the reminder …");
  try {
    await remind();
  } catch {
    say("The reminders cannot be reached. Look at the connection and try again.", true);
  }
  button.disabled = false;
  button.focus();
});

function offer() {
  const before = document.getElementById("before");
  for (const option of [...before.options]) {
    if (dueAt(Number(option.value)) <= new Date()) option.remove();
  }
  if (before.options.length === 0) return say("This event has begun.");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.getElementById("zone").append(` Its time zone is ${zone}.`);
  form.hidden = false;
}

offer();
