// The page: two people's sides of the same desk, brought up to date as things happen.

import { getScene, listen } from "./api.js";
import { MailProgram } from "./mail.js";
import { Telegram } from "./telegram.js";
import { getLanguage, setLanguage, word } from "./words.js";

const scene = await getScene();
setLanguage(localStorage.getItem("language") ?? scene.language);

const mail = new MailProgram(document.getElementById("mail"), scene);
const chats = [
  new Telegram(document.getElementById("client-chat"), "clientChat", scene.telegram_clients, scene, [], scene.talks),
  new Telegram(document.getElementById("desk-chat"), "deskChat", scene.secretaries, scene, scene.rooms),
];

function words() {
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = word(node.dataset.word);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === getLanguage()));
  }
  mail.words();
  chats.forEach((chat) => chat.words());
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    setLanguage(button.dataset.language);
    localStorage.setItem("language", getLanguage());
    words();
    showLink(document.getElementById("link").classList.contains("up"));
  });
}

function showLink(up) {
  const link = document.getElementById("link");
  link.classList.toggle("up", up);
  link.textContent = word(up ? "live" : "lost");
}

// Several changes in one breath become one look; a look asked for during a look follows it.
const pending = new Set();
let looking = false;

async function look() {
  if (looking) return;
  looking = true;
  try {
    while (pending.size > 0) {
      const [key] = pending;
      pending.delete(key);
      if (mail.has(key)) await mail.refresh(key);
      for (const chat of chats) if (chat.has(key)) await chat.refresh(key);
    }
  } finally {
    looking = false;
  }
}

function changed(change) {
  const keys = change ? [change.mail ?? change.chat] : [
    ...scene.mail_clients.map((client) => client.address),
    ...[...scene.telegram_clients, ...scene.secretaries, ...scene.rooms].map((each) => each.id),
  ];
  keys.forEach((key) => pending.add(key));
  look();
}

words();
await mail.begin();
for (const chat of chats) await chat.begin();
listen(changed, showLink);
document.body.dataset.ready = "yes";
