// One Telegram, as one of several people: their chat with the desk's bot, and the groups they are in with it.

import * as api from "./api.js";
import { element, tabs } from "./dom.js";
import { formatted, link } from "./entities.js";
import { time, word } from "./words.js";

export class Telegram {
  constructor(panel, title, people, scene, rooms = [], talks = []) {
    this.panel = panel;
    this.title = title;
    this.people = people;
    this.scene = scene;
    this.chosen = people[0].id;
    this.rooms = rooms;
    this.talks = talks; // who writes to whom in their own Telegram
    this.place = null; // the group, or the talk, that is looked at; null is the chat with the bot
    this.connected = false; // the bot is connected to the chosen person's own Telegram
    this.messages = [];
    this.topics = [];
    this.pinned = [];
    this.topic = null; // the topic that is looked at; null is the whole chat
    this.seen = new Map();
    this.badges = new Map();
    this.drafts = new Map();
    this.replyingTo = null;
    this.editing = null;
    this.build();
  }

  build() {
    this.scroll = element("div", { class: "bubbles", role: "log", "aria-live": "polite" });
    this.context = element("div", { class: "context", hidden: true });
    this.input = element("textarea", { rows: 1, name: "text", autocomplete: "off" });
    this.picker = element("input", { type: "file", hidden: true, onchange: () => this.fileChosen() });
    this.kind = element("div", { class: "kind", hidden: true });
    this.roomBar = element("div", { class: "topics rooms", role: "group" });
    this.topicBar = element("div", { class: "topics", role: "group", hidden: true });
    this.pin = element("button", { type: "button", class: "pin", hidden: true });
    this.toasts = element("div", { class: "toasts", role: "status" });
    this.head = element("header", { class: "panel-head" });
    this.attach = element("button", { type: "button", class: "round", onclick: () => this.picker.click() }, "📎");
    this.sendButton = element("button", { type: "submit", class: "round send" }, "➤");
    const form = element(
      "form",
      { class: "writing", onsubmit: (event) => { event.preventDefault(); this.send(); } },
      this.attach, this.input, this.picker, this.sendButton,
    );
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.send(); }
      if (event.key === "Escape") this.forgetContext();
    });
    this.input.addEventListener("input", () => this.grow());
    this.panel.replaceChildren(this.head, this.roomBar, this.topicBar, this.pin, this.scroll, this.kind, this.context, form, this.toasts);
    this.words();
  }

  words() {
    this.panel.querySelector("form").setAttribute("aria-label", word(this.title));
    this.input.placeholder = word("placeholder");
    this.input.setAttribute("aria-label", word("placeholder"));
    this.attach.title = word("attach");
    this.attach.setAttribute("aria-label", word("attach"));
    this.sendButton.title = word("send");
    this.sendButton.setAttribute("aria-label", word("send"));
    this.topicBar.setAttribute("aria-label", word("topics"));
    this.roomBar.setAttribute("aria-label", word("rooms"));
    this.showHead();
    this.showRooms();
    this.showTopics();
    this.showContext();
    this.render(true);
  }

  showHead() {
    const people = this.people.map((person) => ({
      key: person.id,
      name: person.name,
      short: person.short,
      title: person.role ? `${person.name} (${word(person.role)})` : person.name,
    }));
    this.head.replaceChildren(
      element("h3", { id: `${this.panel.id}-title` }, word(this.title)),
      tabs(people, this.chosen, this.badges, (id) => this.choose(id), word(this.title)),
    );
  }

  // The chat with the bot, the groups beside it, and those the chosen person talks with.
  places() {
    const others = this.talks.filter((pair) => pair.includes(this.chosen)).map((pair) => pair.find((id) => id !== this.chosen));
    const people = this.people.filter((person) => others.includes(person.id));
    return [...this.rooms, ...people.map((person) => ({ id: person.id, name: person.name, talk: true }))];
  }

  showRooms() {
    const places = this.places();
    this.roomBar.hidden = places.length === 0;
    const chip = (place, name) => element(
      "button",
      { type: "button", class: "chip", "aria-pressed": String(this.place?.id === place?.id), "data-room": String(place?.id ?? ""), onclick: () => this.enter(place) },
      name,
      place && !place.talk && (this.badges.get(place.id) ?? 0) > 0 && element("span", { class: "badge" }, String(this.badges.get(place.id))),
    );
    this.roomBar.replaceChildren(
      chip(null, word("withBot")),
      ...places.map((place) => chip(place, `${place.talk ? "👤" : "👥"} ${place.name}`)),
      ...(places.some((place) => place.talk) ? [this.connector()] : []),
    );
  }

  // What Telegram has in its settings: the bot answers in this person's own chats, or no longer.
  connector() {
    const on = !this.connected;
    return element(
      "button",
      { type: "button", class: "chip", "data-connect": String(on), onclick: () => this.attempt(() => api.connect(this.chosen, on)) },
      `📲 ${word(on ? "connect" : "disconnect")}`,
    );
  }

  async enter(place) {
    this.place = place;
    await this.look();
  }

  // A chat with topics: all of it, or what stands in one of them, where words are written too.
  showTopics() {
    this.topicBar.hidden = this.topics.length === 0;
    const chip = (topic, name) => element(
      "button",
      { type: "button", class: "chip", "aria-pressed": String(this.topic === topic), "data-topic": String(topic ?? ""), onclick: () => this.openTopic(topic) },
      name,
    );
    this.topicBar.replaceChildren(
      chip(null, word("allTopics")),
      ...this.topics.map((topic) => chip(topic.message_thread_id, topic.name)),
    );
  }

  openTopic(topic) {
    this.topic = topic;
    this.forgetContext();
    this.showTopics();
    this.scroll.replaceChildren();
    this.render(false);
  }

  async choose(id) {
    this.drafts.set(this.chosen, this.input.value);
    this.chosen = id;
    if (this.place?.talk) this.place = null;
    this.input.value = this.drafts.get(id) ?? "";
    await this.look();
  }

  // Look at what was chosen, as for the first time.
  async look() {
    this.badges.delete(this.place && !this.place.talk ? this.place.id : this.chosen);
    this.messages = [];
    this.topics = [];
    this.pinned = [];
    this.topic = null;
    this.forgetContext();
    this.grow();
    this.showHead();
    this.showRooms();
    this.scroll.replaceChildren();
    await this.refresh(this.place && !this.place.talk ? this.place.id : this.chosen);
  }

  // What the desk shows this person, or in this group, changed.
  async refresh(id) {
    const room = this.rooms.find((each) => each.id === id) ?? null;
    const person = room === null ? id : this.chosen;
    const place = room ?? (person === this.chosen && this.place?.talk ? this.place : null);
    const chat = await api.getChat(person, place);
    const newest = chat.messages.filter((message) => message.from.is_bot).map((message) => message.message_id);
    if (person !== this.chosen || place?.id !== this.place?.id) {
      const seen = this.seen.get(id) ?? 0;
      this.badges.set(id, newest.filter((message) => message > seen).length);
      this.showHead();
      this.showRooms();
      return;
    }
    const known = this.seen.get(id) ?? 0;
    if (!place?.talk) this.seen.set(id, Math.max(0, ...newest));
    const asks = place?.talk ? null : chat.messages.findLast((message) => message.reply_markup?.force_reply && message.message_id > known);
    this.connected = chat.connected;
    this.showRooms();
    this.messages = chat.messages;
    this.topics = chat.topics;
    this.pinned = chat.pinned;
    if (!this.topics.some((topic) => topic.message_thread_id === this.topic)) this.topic = null;
    this.showTopics();
    this.render(false);
    if (asks) this.replyTo(asks);
  }

  async begin() {
    for (const person of this.people) {
      const chat = await api.getChat(person.id);
      this.seen.set(person.id, Math.max(0, ...chat.messages.map((message) => message.message_id)));
    }
    await this.refresh(this.chosen);
    for (const room of this.rooms) await this.refresh(room.id);
  }

  has(id) {
    return [...this.people, ...this.rooms].some((each) => each.id === id);
  }

  render(anew) {
    const atEnd = this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight < 60;
    const before = new Map([...this.scroll.children].map((node) => [node.dataset.key, node]));
    const first = before.size === 0;
    const shown = this.messages.filter((message) => this.topic === null || message.message_thread_id === this.topic);
    const wanted = shown.map((message) => {
      const key = `${this.chosen}:${message.message_id}`;
      const fingerprint = JSON.stringify(message);
      const old = before.get(key);
      if (old && old.fingerprint === fingerprint && !anew) return old;
      const made = this.bubble(message);
      made.dataset.key = key;
      made.fingerprint = fingerprint;
      if (!anew && !first) made.classList.add(old ? "changed" : "fresh");
      return made;
    });
    if (wanted.length === 0) wanted.push(this.empty());
    this.scroll.replaceChildren(...wanted);
    this.showPin(shown);
    const last = shown.at(-1);
    const mine = last?.from.id === this.chosen;
    if (atEnd || first || mine) this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  // What is pinned in the topic that is looked at, one press away.
  showPin(shown) {
    const message = this.topic === null ? null : shown.findLast((each) => this.pinned.includes(each.message_id));
    this.pin.hidden = !message;
    if (!message) return;
    this.pin.textContent = `📌 ${brief(message)}`;
    this.pin.title = word("pinned");
    this.pin.onclick = () => this.show(message.message_id);
  }

  empty() {
    const room = this.place;
    if (room?.talk) return element("div", { class: "empty" }, element("p", {}, word("emptyTalk")));
    if (room) {
      const begin = element("button", { type: "button", class: "chip", onclick: () => this.say(room.link) }, room.link);
      return element("div", { class: "empty" }, element("p", {}, word("emptyRoom")), begin);
    }
    const links = (this.scene.starts ?? []).map((start) =>
      element("button", { type: "button", class: "chip", onclick: () => this.say(`/start ${start.payload}`) }, start.name));
    const client = this.title === "clientChat";
    return element("div", { class: "empty" }, element("p", {}, word(client ? "emptyChat" : "emptyDesk")), client && links);
  }

  bubble(message) {
    const mine = message.from.id === this.chosen;
    if (message.forum_topic_created) {
      return element("div", { class: "service" }, `${word("topicCreated")} ${message.forum_topic_created.name}`);
    }
    if (message.pinned_message) {
      return element("div", { class: "service" }, `📌 ${word("pinned")} ${brief(message.pinned_message)}`);
    }
    const text = message.text ?? message.caption ?? "";
    const entities = message.entities ?? message.caption_entities;
    const original = message.reply_to_message?.forum_topic_created ? null : message.reply_to_message;
    const body = element(
      "div",
      { class: "bubble", onclick: (event) => this.clicked(event, message) },
      original && element(
        "button",
        { type: "button", class: "quoted", onclick: (event) => { event.stopPropagation(); this.show(original.message_id); } },
        element("b", {}, original.from?.first_name ?? ""),
        element("span", {}, brief(original)),
      ),
      !mine && !message.from.is_bot && element("b", { class: "author" }, message.from.first_name),
      this.media(message),
      text && element("div", { class: "text" }, formatted(text, entities, (what) => this.follow(what))),
      element("div", { class: "when" },
        message.edit_date && !message.from.is_bot && `${word("edited")} `,
        time(new Date(message.date * 1000)),
        mine && message.text && element(
          "button",
          { type: "button", class: "edit", title: word("edit"), "aria-label": word("edit"), onclick: (event) => { event.stopPropagation(); this.startEditing(message); } },
          "✎",
        ),
        this.place?.talk && element(
          "button",
          { type: "button", class: "edit", title: word("delete"), "aria-label": word("delete"), onclick: (event) => { event.stopPropagation(); this.attempt(() => api.deleteMessage(this.chosen, this.place, message.message_id)); } },
          "🗑",
        )),
    );
    return element(
      "div",
      { class: `message ${mine ? "mine" : "theirs"}`, "data-message": String(message.message_id) },
      body,
      this.keyboard(message),
    );
  }

  media(message) {
    const file = (id) => `api/chat/${this.chosen}/file/${encodeURIComponent(id)}`;
    if (message.photo) {
      const photo = message.photo.at(-1);
      return element("a", { href: file(photo.file_id), target: "_blank", onclick: (event) => event.stopPropagation() },
        element("img", { class: "photo", src: file(photo.file_id), alt: word("photo") }));
    }
    const sent = message.document ?? message.voice ?? message.audio ?? message.video;
    if (!sent) return null;
    const name = sent.file_name ?? word("file");
    return element(
      "a",
      { class: "document", href: file(sent.file_id), download: name, title: word("download"), onclick: (event) => event.stopPropagation() },
      element("span", { class: "icon", "aria-hidden": "true" }, message.voice || message.audio ? "🎤" : "📄"),
      element("span", {}, element("b", {}, name), element("small", {}, sent.file_size ? word("bytes")(sent.file_size) : "")),
    );
  }

  keyboard(message) {
    const rows = message.reply_markup?.inline_keyboard;
    if (!rows?.length) return null;
    return element("div", { class: "keyboard" }, rows.map((row) =>
      element("div", { class: "row" }, row.map((button) =>
        button.url
          ? link(button.url, [button.text], (what) => this.follow(what), { class: "key" })
          : element(
            "button",
            { type: "button", class: `key ${button.style ?? ""}`, "data-press": button.callback_data ?? "", disabled: button.disabled ?? false, onclick: (event) => this.press(event.currentTarget, message, button) },
            button.text,
          )))));
  }

  async press(key, message, button) {
    key.disabled = true;
    key.classList.add("pressed");
    try {
      const answer = await api.press(this.chosen, this.place, message.message_id, button.callback_data);
      if (answer.text) this.toast(answer.text, answer.show_alert);
    } catch (error) {
      this.toast(word("failed") + error.message, true);
    } finally {
      key.disabled = false;
      key.classList.remove("pressed");
    }
  }

  toast(text, stays) {
    const toast = element("div", { class: `toast ${stays ? "alert" : ""}` }, element("span", {}, text));
    const leave = () => toast.remove();
    if (stays) toast.append(element("button", { type: "button", onclick: leave }, word("close")));
    else setTimeout(leave, 4500);
    this.toasts.append(toast);
  }

  clicked(event, message) {
    if (event.target.closest("a, button") || String(getSelection())) return;
    this.replyTo(message);
    this.input.focus();
  }

  replyTo(message) {
    this.editing = null;
    this.replyingTo = message;
    this.showContext();
  }

  startEditing(message) {
    this.replyingTo = null;
    this.editing = message;
    this.input.value = message.text;
    this.showContext();
    this.grow();
    this.input.focus();
  }

  forgetContext() {
    if (this.editing) this.input.value = "";
    this.replyingTo = null;
    this.editing = null;
    this.showContext();
    this.grow();
  }

  showContext() {
    const about = this.editing ?? this.replyingTo;
    this.context.hidden = !about;
    if (!about) return;
    this.context.replaceChildren(
      element("div", {},
        element("b", {}, this.editing ? word("editing") : `${word("replyTo")} ${about.from.first_name}`),
        element("span", {}, brief(about))),
      element("button", { type: "button", class: "round", title: word("cancel"), "aria-label": word("cancel"), onclick: () => this.forgetContext() }, "✕"),
    );
  }

  show(messageId) {
    const node = this.scroll.querySelector(`[data-message="${messageId}"]`);
    if (!node) return;
    node.scrollIntoView({ block: "center", behavior: "smooth" });
    node.classList.remove("changed");
    requestAnimationFrame(() => node.classList.add("changed"));
  }

  follow(what) {
    if (what.command) this.say(what.command);
    else this.say(what.start ? `/start ${what.start}` : "/start");
  }

  async send() {
    const text = this.input.value.trim();
    if (!text) return;
    const { editing, replyingTo } = this;
    this.input.value = "";
    this.editing = null;
    this.forgetContext();
    const done = editing
      ? await this.attempt(() => api.editText(this.chosen, this.place, editing.message_id, text))
      : await this.say(text, replyingTo?.message_id ?? null);
    if (!done && !this.input.value) this.input.value = text;
  }

  say(text, replyTo = null) {
    return this.attempt(() => api.sendText(this.chosen, this.place, text, replyTo, this.topic));
  }

  async attempt(action) {
    try {
      await action();
      return true;
    } catch (error) {
      this.toast(word("failed") + error.message, true);
      return false;
    }
  }

  // An image may leave as a photo or as the file it is: Telegram asks too.
  fileChosen() {
    const [file] = this.picker.files;
    if (!file) return;
    if (!file.type.startsWith("image/")) {
      this.sendFile(file, "document");
      return;
    }
    const choose = (kind) => { this.kind.hidden = true; this.sendFile(file, kind); };
    this.kind.replaceChildren(
      element("button", { type: "button", class: "chip", onclick: () => choose("photo") }, word("attachPhoto")),
      element("button", { type: "button", class: "chip", onclick: () => choose("document") }, word("attachDocument")),
    );
    this.kind.hidden = false;
  }

  async sendFile(file, kind) {
    const form = new FormData();
    form.set("kind", kind);
    form.set("caption", this.input.value.trim());
    if (this.replyingTo) form.set("reply_to", String(this.replyingTo.message_id));
    if (this.topic !== null) form.set("topic", String(this.topic));
    form.set("file", file, file.name);
    this.picker.value = "";
    this.input.value = "";
    this.forgetContext();
    await this.attempt(() => api.sendFile(this.chosen, this.place, form));
  }

  grow() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, 130)}px`;
  }
}

function brief(message) {
  const text = message.text ?? message.caption;
  if (text) return text.split("\n").find((line) => line.trim()) ?? "";
  if (message.photo) return word("photo");
  return message.document?.file_name ?? word("file");
}

