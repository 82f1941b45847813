// Making elements. Text only ever becomes text nodes: nothing anyone writes is read as HTML.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const COLOURS = ["#c95d63", "#d08b3e", "#5b9a5b", "#3f8fb0", "#6b74c4", "#a4619f"];

export function avatar(name) {
  const parts = name.split(/\s+/).filter((part) => /^\p{Lu}/u.test(part));
  const letters = [parts.at(0), parts.length > 1 && parts.at(-1)].map((part) => part?.[0] ?? "").join("") || name.slice(0, 1);
  const sum = [...name].reduce((total, letter) => total + letter.codePointAt(0), 0);
  const made = element("span", { class: "avatar", "aria-hidden": "true" }, letters);
  made.style.setProperty("--colour", COLOURS[sum % COLOURS.length]);
  return made;
}

// People as tabs, each with a badge for what came while someone else was shown.
export function tabs(people, chosen, badges, choose, label) {
  const list = element("div", { class: "people", role: "tablist", "aria-label": label });
  for (const person of people) {
    const selected = person.key === chosen;
    const badge = badges.get(person.key) ?? 0;
    list.append(element(
      "button",
      { type: "button", role: "tab", class: "person", "aria-selected": String(selected), title: person.title ?? person.name, onclick: () => choose(person.key) },
      avatar(person.name),
      element("span", { class: "name" }, person.short ?? person.name),
      badge > 0 && element("span", { class: "badge" }, String(badge)),
    ));
  }
  return list;
}
