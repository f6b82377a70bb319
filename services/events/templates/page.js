// "Remind me": creates a notification for the event that the page shows.
"use strict";

const form = document.getElementById("remind");
const statusLine = document.getElementById("status");
const text = (id) => document.getElementById(id)?.textContent.trim() ?? "";
const startTime = new Date(document.getElementById("when").dateTime);
const reminderTime = (minutes) => new Date(startTime.getTime() - minutes * 60_000);

// The limits of the notifications service, in code points.
const MAX_SUBJECT = 70;
const MAX_CONTENT = 700;
const TIMEOUT_MS = 15_000;

function showStatus(message, isProblem = false) {
  statusLine.className = isProblem ? "problem" : "";
  statusLine.textContent = message;
}

function truncated(message, limit) {
  const letters = [...message];
  return letters.length > limit ? letters.slice(0, limit - 1).join("") + "…" : message;
}

function formatted(time) {
  return time.toLocaleString("en-GB", { dateStyle: "full", timeStyle: "short" });
}

function notification(address, due) {
  const subject = `Reminder: ${text("title").replace(/\p{Cc}+/gu, " ")}`;
  const facts = [text("title"), [text("when"), text("where")].filter(Boolean).join(", ")].join("\n");
  const link = location.href.split("#")[0];
  const room = MAX_CONTENT - [...facts, ...link].length - 4;
  const content = [facts, truncated(text("description"), room), link].join("\n\n");
  return {
    subject: truncated(subject, MAX_SUBJECT),
    content,
    to_mail: address,
    scheduled_time: due.toISOString().slice(0, 19),
  };
}

// What is wrong with the form, with the names of its fields.
async function problem(answer) {
  if (answer.status !== 422) {
    return "The reminder could not be created. Try again in a minute.";
  }
  const { details } = await answer.json();
  const names = { to_mail: "The email address", scheduled_time: "The time" };
  return details.map(({ field, message }) => `${names[field] ?? field} ${message}.`).join(" ");
}

async function sendsMails() {
  const ready = await fetch(`${form.dataset.to}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  return (await ready.json()).mail !== "off";
}

async function remind() {
  const address = document.getElementById("mail").value.trim();
  const due = reminderTime(Number(document.getElementById("before").value));
  const answer = await fetch(`${form.dataset.to}/notifications`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(notification(address, due)),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (answer.status !== 201) {
    return showStatus(await problem(answer), true);
  }
  const sends = await sendsMails().catch(() => true);
  showStatus(sends
    ? `We will send a reminder to ${address} on ${formatted(due)}.`
    : `The reminder for ${formatted(due)} is saved, but this service does not send mails at the moment.`);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  showStatus("Creating the reminder …");
  try {
    await remind();
  } catch {
    showStatus("The reminder service cannot be reached. Check your connection and try again.", true);
  }
  button.disabled = false;
  button.focus();
});

// Shows the form with the times that are still to come.
function showForm() {
  const before = document.getElementById("before");
  for (const option of [...before.options]) {
    if (reminderTime(Number(option.value)) <= new Date()) option.remove();
  }
  if (before.options.length === 0) return showStatus("This event has started.");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.getElementById("zone").append(` Its time zone is ${zone}.`);
  form.hidden = false;
}

showForm();
