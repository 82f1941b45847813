// A small mail program, as one of several clients.

import * as api from "./api.js";
import { avatar, element, tabs } from "./dom.js";
import { dateAndTime, word } from "./words.js";

export class MailProgram {
  constructor(panel, scene) {
    this.panel = panel;
    this.scene = scene;
    this.chosen = scene.mail_clients[0].address;
    this.folder = "inbox";
    this.mails = { inbox: [], sent: [] };
    this.open = null;
    this.read = new Set();
    this.badges = new Map();
    this.writing = false;
    this.head = element("header", { class: "panel-head" });
    this.folders = element("div", { class: "folders" });
    this.list = element("ul", { class: "mails" });
    this.pane = element("div", { class: "pane" });
    panel.replaceChildren(this.head, this.folders, this.list, this.pane);
    this.words();
  }

  words() {
    this.showHead();
    this.showList();
    if (!this.writing) this.showPane();
  }

  async begin() {
    for (const client of this.scene.mail_clients) {
      const { inbox } = await api.getMails(client.address);
      inbox.forEach((mail) => this.read.add(mail.number));
    }
    await this.refresh(this.chosen);
  }

  has(address) {
    return this.scene.mail_clients.some((client) => client.address === address);
  }

  async refresh(address) {
    const mails = await api.getMails(address);
    this.badges.set(address, mails.inbox.filter((mail) => !this.read.has(mail.number)).length);
    this.showHead();
    if (address !== this.chosen) return;
    const arrived = mails.inbox.length > this.mails.inbox.length;
    this.mails = mails;
    if (!this.writing && this.open === null) {
      if (arrived) this.folder = "inbox";
      else if (mails.inbox.length === 0) this.folder = "sent";
    }
    this.showList();
    if (!this.writing) this.showPane();
  }

  async choose(address) {
    this.chosen = address;
    this.open = null;
    this.writing = false;
    this.folder = "inbox";
    this.mails = { inbox: [], sent: [] };
    this.words();
    await this.refresh(address);
  }

  showHead() {
    const people = this.scene.mail_clients.map((client) => ({
      key: client.address, name: client.name, short: client.short, title: `${client.name} <${client.address}>`,
    }));
    this.head.replaceChildren(
      element("h3", { id: "mail-title" }, word("mailTitle")),
      tabs(people, this.chosen, this.badges, (address) => this.choose(address), word("mailTitle")),
    );
  }

  showList() {
    const folder = (name) => element(
      "button",
      { type: "button", class: "folder", "aria-pressed": String(this.folder === name), onclick: () => { this.folder = name; this.open = null; this.showList(); if (!this.writing) this.showPane(); } },
      word(name),
      element("span", { class: "count" }, String(this.mails[name].length)),
    );
    this.folders.replaceChildren(
      folder("inbox"), folder("sent"),
      element("button", { type: "button", class: "primary", onclick: () => this.compose(null) }, "✎ ", word("compose")),
    );
    const rows = [...this.mails[this.folder]].reverse().map((mail) => {
      const other = this.folder === "inbox" ? mail.from : mail.to;
      const unread = this.folder === "inbox" && !this.read.has(mail.number);
      return element("li", {}, element(
        "button",
        { type: "button", class: `mail-row ${unread ? "unread" : ""}`, "aria-current": String(this.open === mail.number), "data-mail": String(mail.number), onclick: () => this.show(mail) },
        avatar(other.name || other.address),
        element("span", { class: "who" }, other.name || other.address),
        element("time", {}, dateAndTime(new Date(mail.date))),
        element("span", { class: "subject" }, mail.subject, mail.attachments.length > 0 && " 📎"),
        element("span", { class: "snippet" }, mail.text.replace(/\s+/g, " ").slice(0, 90)),
      ));
    });
    this.list.replaceChildren(...(rows.length ? rows : [element("li", { class: "empty" }, word("noMail"))]));
  }

  show(mail) {
    this.open = mail.number;
    this.writing = false;
    this.read.add(mail.number);
    this.badges.set(this.chosen, this.mails.inbox.filter((other) => !this.read.has(other.number)).length);
    this.showHead();
    this.showList();
    this.showPane();
  }

  showPane() {
    const mail = [...this.mails.inbox, ...this.mails.sent].find((candidate) => candidate.number === this.open);
    if (!mail) {
      this.pane.replaceChildren(element("p", { class: "empty" }, word("pickMail")));
      return;
    }
    const line = (label, people) => element("p", { class: "address" }, element("span", {}, `${label} `), people);
    this.pane.replaceChildren(element(
      "article",
      { class: "reading", "data-reading": String(mail.number) },
      element("h4", {}, mail.subject),
      line(word("from"), `${mail.from.name} <${mail.from.address}>`),
      line(word("to"), mail.to.name ? `${mail.to.name} <${mail.to.address}>` : mail.to.address),
      element("div", { class: "body" }, mail.text),
      mail.attachments.length > 0 && element("div", { class: "attachments" }, mail.attachments.map((attachment) => element(
        "a",
        { class: "document", href: `api/mail/${encodeURIComponent(this.chosen)}/${mail.number}/${attachment.index}`, download: attachment.name, title: word("download") },
        element("span", { class: "icon", "aria-hidden": "true" }, "📄"),
        element("span", {}, element("b", {}, attachment.name), element("small", {}, word("bytes")(attachment.size))),
      ))),
      this.folder === "inbox" && element("button", { type: "button", class: "primary reply", onclick: () => this.compose(mail) }, "↩ ", word("reply")),
    ));
    this.pane.scrollTop = 0;
  }

  compose(answered) {
    this.writing = true;
    const accounts = this.scene.accounts.map((account) => account.address);
    const to = element("input", { name: "to", required: true, list: "addresses", value: answered ? answered.reply_to : accounts[0], autocomplete: "off" });
    const subject = element("input", { name: "subject", value: answered ? replySubject(answered.subject) : "", autocomplete: "off" });
    const text = element("textarea", { name: "text", required: true, rows: 6 });
    if (answered) text.value = quoted(answered);
    const chosen = element("b");
    const files = element("input", { type: "file", name: "file", multiple: true, class: "hidden" });
    files.addEventListener("change", () => { chosen.textContent = [...files.files].map((file) => file.name).join(", "); });
    const problem = element("p", { class: "problem", role: "alert" });
    const form = element(
      "form",
      { class: "composing", "aria-label": word(answered ? "reply" : "compose") },
      element("label", {}, word("to"), to),
      element("datalist", { id: "addresses" }, this.scene.accounts.map((account) => element("option", { value: account.address }, account.name))),
      element("label", {}, word("subject"), subject),
      element("label", { class: "wide" }, element("span", { class: "hidden" }, word("message")), text),
      element("label", { class: "files" }, `📎 ${word("attach")}`, files, chosen),
      problem,
      element("div", { class: "actions" },
        element("button", { type: "submit", class: "primary" }, word("send")),
        element("button", { type: "button", onclick: () => this.leaveCompose() }, word("cancel"))),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const letter = new FormData(form);
      if (answered) letter.set("answers", String(answered.number));
      try {
        await api.sendMail(this.chosen, letter);
        this.leaveCompose();
      } catch (error) {
        problem.textContent = word("failed") + error.message;
      }
    });
    this.pane.replaceChildren(form);
    (answered ? text : subject).focus();
    text.setSelectionRange(0, 0);
    text.scrollTop = 0;
  }

  leaveCompose() {
    this.writing = false;
    this.showPane();
  }
}

function replySubject(subject) {
  return /^re\s*:/i.test(subject) ? subject : `Re: ${subject}`;
}

function quoted(mail) {
  const date = new Date(mail.date).toLocaleString(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
  const lines = mail.text.trimEnd().split("\n").map((line) => `> ${line}`.trimEnd());
  return `\n\n${word("on")(date)}${mail.from.name || mail.from.address} ${word("writes")}\n${lines.join("\n")}\n`;
}
