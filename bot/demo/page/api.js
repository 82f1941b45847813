// The desk's demo server. Every call either answers or throws an Error with a sentence.

async function call(path, options = {}) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error((await answer.text()) || answer.statusText);
  return answer.status === 204 ? null : answer.json();
}

const post = (path, value) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

export const getScene = () => call("api/scene");

export const getMails = (address) => call(`api/mail/${encodeURIComponent(address)}`);
export const sendMail = (address, form) =>
  call(`api/mail/${encodeURIComponent(address)}`, { method: "POST", body: form });

// A person's chat with the desk's bot; with `room`, a group they are in.
const chat = (person, room, what = "") => `api/chat/${person}${what}${room ? `?group=${room}` : ""}`;

export const getChat = (person, room) => call(chat(person, room));
export const sendText = (person, room, text, replyTo, topic) =>
  post(chat(person, room, "/text"), { text, reply_to: replyTo, topic });
export const editText = (person, room, messageId, text) =>
  post(chat(person, room, "/edit"), { message_id: messageId, text });
export const press = (person, room, messageId, data) =>
  post(chat(person, room, "/press"), { message_id: messageId, data });
export const sendFile = (person, room, form) => call(chat(person, room, "/file"), { method: "POST", body: form });

// Told of every change. `changed(null)` means look at everything: what happened before is not repeated.
export function listen(changed, connected) {
  const source = new EventSource("api/events");
  source.onopen = () => {
    connected(true);
    changed(null);
  };
  source.onerror = () => connected(false);
  source.onmessage = (event) => changed(JSON.parse(event.data));
}
