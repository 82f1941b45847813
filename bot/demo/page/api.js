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

// A person's chat with the desk's bot; with `place`, a group they are in or somebody they talk with.
const chat = (person, place, what = "") => {
  const query = place ? (place.talk ? `?with=${place.id}` : `?group=${place.id}`) : "";
  return `api/chat/${person}${what}${query}`;
};

export const getChat = (person, place) => call(chat(person, place));
export const sendText = (person, place, text, replyTo, topic) =>
  post(chat(person, place, "/text"), { text, reply_to: replyTo, topic });
export const editText = (person, place, messageId, text) =>
  post(chat(person, place, "/edit"), { message_id: messageId, text });
export const deleteMessage = (person, place, messageId) =>
  post(chat(person, place, "/delete"), { message_id: messageId });
export const connect = (person, on) => post(chat(person, null, "/connect"), { on });
export const press = (person, place, messageId, data) =>
  post(chat(person, place, "/press"), { message_id: messageId, data });
export const sendFile = (person, place, form) => call(chat(person, place, "/file"), { method: "POST", body: form });

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
