// The page's own words. What the desk says comes from the desk, in each person's language.

const WORDS = {
  fr: {
    tagline: "Écrivez à gauche comme un client, répondez à droite comme une secrétaire. Rien ne sort de cette machine.",
    clients: "Chez les clients",
    desk: "Au secrétariat",
    mailTitle: "Courrier",
    clientChat: "Telegram du client",
    deskChat: "Telegram de la secrétaire",
    inbox: "Réception",
    sent: "Envoyés",
    compose: "Écrire",
    reply: "Répondre",
    from: "De",
    to: "À",
    subject: "Objet",
    message: "Message",
    send: "Envoyer",
    cancel: "Annuler",
    attach: "Joindre un fichier",
    noMail: "Aucun message.",
    pickMail: "Choisissez un message, ou écrivez-en un.",
    writes: "écrit :",
    on: (date) => `Le ${date}, `,
    emptyChat: "Aucun message. Suivez le lien d’un cabinet pour commencer :",
    emptyDesk: "Aucun message.",
    placeholder: "Écrire un message…",
    topics: "Sujets",
    allTopics: "Tout",
    topicCreated: "Sujet créé :",
    pinned: "Épinglé :",
    rooms: "Conversations",
    connect: "Relier Permanence à mon Telegram",
    disconnect: "Retirer Permanence de mon Telegram",
    delete: "Supprimer pour les deux",
    emptyTalk: "Aucun message : ici, on s’écrit directement. Le secrétariat y répond dans le Telegram de qui y a relié Permanence et travaille avec lui.",
    withBot: "Permanence",
    emptyRoom: "Le groupe de l’équipe, avec des sujets. Une responsable y relie le cabinet, puis chaque demande du cabinet y a son sujet, où l’on répond :",
    replyTo: "Répondre à",
    editing: "Modifier le message",
    edit: "Modifier",
    download: "Télécharger",
    edited: "modifié",
    photo: "Photo",
    document: "Document",
    file: "Fichier",
    attachPhoto: "Comme photo",
    attachDocument: "Comme fichier",
    links: "Liens des cabinets",
    supervisor: "responsable",
    secretary: "secrétaire",
    live: "en direct",
    lost: "connexion perdue, nouvel essai…",
    close: "Fermer",
    failed: "Échec : ",
    bytes: (n) => (n < 1024 ? `${n} o` : n < 1048576 ? `${Math.round(n / 1024)} Ko` : `${(n / 1048576).toFixed(1)} Mo`),
  },
  en: {
    tagline: "Write on the left as a client, answer on the right as a secretary. Nothing leaves this machine.",
    clients: "The clients’ side",
    desk: "The desk",
    mailTitle: "Mail",
    clientChat: "The client’s Telegram",
    deskChat: "The secretary’s Telegram",
    inbox: "Inbox",
    sent: "Sent",
    compose: "Write",
    reply: "Reply",
    from: "From",
    to: "To",
    subject: "Subject",
    message: "Message",
    send: "Send",
    cancel: "Cancel",
    attach: "Attach a file",
    noMail: "No mail.",
    pickMail: "Choose a message, or write one.",
    writes: "wrote:",
    on: (date) => `On ${date}, `,
    emptyChat: "No messages. Follow a firm’s link to begin:",
    emptyDesk: "No messages.",
    placeholder: "Write a message…",
    topics: "Topics",
    allTopics: "All",
    topicCreated: "Topic created:",
    pinned: "Pinned:",
    rooms: "Chats",
    connect: "Connect Permanence to my Telegram",
    disconnect: "Take Permanence out of my Telegram",
    delete: "Delete for both",
    emptyTalk: "No messages: here people write to each other. The desk answers there in the Telegram of whoever connected Permanence and works with it.",
    withBot: "Permanence",
    emptyRoom: "The team’s group, with topics. A supervisor links the firm there; then each of the firm’s requests has its topic, in which it is answered:",
    replyTo: "Reply to",
    editing: "Edit message",
    edit: "Edit",
    download: "Download",
    edited: "edited",
    photo: "Photo",
    document: "Document",
    file: "File",
    attachPhoto: "As a photo",
    attachDocument: "As a file",
    links: "The firms’ links",
    supervisor: "supervisor",
    secretary: "secretary",
    live: "live",
    lost: "connection lost, trying again…",
    close: "Close",
    failed: "Failed: ",
    bytes: (n) => (n < 1024 ? `${n} B` : n < 1048576 ? `${Math.round(n / 1024)} KB` : `${(n / 1048576).toFixed(1)} MB`),
  },
};

let language = "fr";

export function setLanguage(chosen) {
  language = chosen in WORDS ? chosen : "fr";
  document.documentElement.lang = language;
}

export const getLanguage = () => language;

export const word = (key) => WORDS[language][key];

export function time(instant) {
  return instant.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
}

export function dateAndTime(instant) {
  const today = new Date().toDateString() === instant.toDateString();
  if (today) return time(instant);
  return instant.toLocaleString(language, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}
