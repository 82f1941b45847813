"""Which mails no person wrote, and to which nothing may go back by itself: judged by their header, hardly by words.

To take a person for a machine is the worse mistake: what she wrote would wait
unseen. So words count only where a program put them (the subject an absence notice
begins with), and where something else says the same.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from channels.mail.bounces import MAY_BE_MACHINE, from_machine, is_null_path
from channels.mail.headers import Fields, as_text, decode_text, first, read_addresses
from channels.mail.parts import Tree
from inbox.particulars import Automatic, Bounce

LONGEST_LIST_ID = 255


class Origin(NamedTuple):
    """What wrote a mail, and by which way it came."""

    automatic: Automatic | None
    unanswerable: bool
    list_id: str


def read_origin(tree: Tree, bounce: Bounce | None) -> Origin:
    """Whether a machine wrote it, whether an automatic answer may go back, and the list it came through.

    Args:
        bounce: what `read_bounce` found in it.
    """
    root = tree.root
    fields = root.fields
    list_id = _list_id(fields)
    report_type = root.parameters.get("report-type", "").lower()
    named = _may_name_a_machine(fields)
    automatic: Automatic | None = Automatic.BOUNCE
    if bounce is None:
        found = _automatic(fields, root.media_type, report_type, list_id, may_name_one=named)
        automatic = None if found is not None and (_is_handed_on(fields) or _invites(tree)) else found
    unanswerable = automatic is not None or bool(list_id) or _is_handed_on(fields)
    unanswerable = unanswerable or _is_unanswerable(fields, may_name_one=named)
    return Origin(automatic, unanswerable, list_id)


# ---------------------------------------------------------------- a machine wrote it


def _automatic(
    fields: Fields, media_type: str, report_type: str, list_id: str, *, may_name_one: bool
) -> Automatic | None:
    if media_type == "multipart/report":
        # That it was read (RFC 8098), that it was called spam (RFC 5965), that a server did something with it.
        return Automatic.REPLY if report_type == "disposition-notification" else Automatic.NOTICE
    submitted = _word(fields, "auto-submitted")
    if submitted and submitted != "no":
        # RFC 3834 §5; a reminder or a meeting's reply is sent so as well, but by a person's press.
        return Automatic.REPLY if submitted == "auto-replied" or _answers(fields) else Automatic.NOTICE
    if submitted == "no":
        return None
    for name, said in _REPLIES:
        if name in fields and said.search(_word(fields, name)):
            return Automatic.REPLY
    subject = decode_text(first(fields, "subject"), 300)
    if _ABSENT.match(subject) or _AWAY.match(subject):
        # A person's program gives every mail a date and an id, and an answer its "Re:"; a script may not.
        bare = not first(fields, "message-id").strip() or not first(fields, "date").strip()
        if "x-auto-response-suppress" in fields or is_null_path(fields) or _bulk(fields) or bare or _answers(fields):
            return Automatic.REPLY
    for name, said in _NOTICES:
        if name in fields and said.search(_word(fields, name)):
            return Automatic.NOTICE
    if _REPORTS_DMARC.match(subject):
        return Automatic.NOTICE
    if _is_by_hand(fields):
        return None
    if is_null_path(fields):
        return Automatic.REPLY if _answers(fields) else Automatic.NOTICE
    if _ANSWER.match(subject):
        return None
    sent_to_all = _bulk(fields) and not _is_discussion(fields, list_id)
    suppressed = _wants_no_answer(fields) and not _is_written_in_exchange(fields)
    from_nobody = may_name_one and (from_machine(fields) or _is_no_reply(fields) or _is_from_program(fields))
    if not (suppressed or sent_to_all or from_nobody) or _is_for_another(fields):
        return None
    return Automatic.REPLY if suppressed and _answers(fields) else Automatic.NOTICE


def _wants_no_answer(fields: Fields) -> bool:
    """Whether it asks Exchange for no absence notice; no receipt (DR, RN, NRN) may be asked for by anybody."""
    suppressed = _word(fields, "x-auto-response-suppress")
    return any(word in suppressed for word in ("all", "autoreply", "oof"))


def _is_written_in_exchange(fields: Fields) -> bool:
    """Whether the program of a person at Exchange wrote it: firms have it ask for no absence notices on every mail."""
    return "thread-index" in fields or _EXCHANGE_ID.search(first(fields, "message-id")[:1000]) is not None


_EXCHANGE_ID = re.compile(rb"@[\w-]+\.(?:[\w-]+\.){0,3}prod\.outlook\.com>?\s*$", re.I)


def _is_by_hand(fields: Fields) -> bool:
    """Whether a program people write in sent it."""
    program = (first(fields, "x-mailer") + b" " + first(fields, "user-agent"))[:500]
    return _PROGRAMS.search(program) is not None


_PROGRAMS = re.compile(
    rb"outlook|thunderbird|apple mail|iphone|ipad|evolution|roundcube|zimbra|k-?mail|mutt|alpine|pine|eudora|the bat"
    rb"|k-9|fairemail|sylpheed|claws|postbox|em client|mailspring|gnus|(?:lotus|hcl|ibm) notes|domino|horde"
    rb"|squirrelmail|mozilla|yahoomail|webmail|open-xchange|samsung|airmail|spark|canary",
    re.I,
)


def _is_for_another(fields: Fields) -> bool:
    """Whether a machine hands on what a person wrote, as the forms of web sites do: answers go to somebody else."""
    if not fields.keys().isdisjoint(("list-unsubscribe", "list-id", "list-unsubscribe-post")):
        return False
    asked = [a.value for a in read_addresses(fields.get("reply-to", ())[:1]) if a.value]
    sender = [a.value for a in read_addresses(fields.get("from", ())[:1])]
    if not asked or asked[0] in sender or _NO_REPLY.search(asked[0]):
        return False
    return asked[0].rpartition("@")[2] != (sender[0].rpartition("@")[2] if sender else "")


def _is_handed_on(fields: Fields) -> bool:
    """Whether a rule of a client's mailbox forwards to us what somebody wrote to him: that asks for an answer."""
    by_rule = not fields.keys().isdisjoint(_RULES)
    return by_rule and _FORWARDED.match(decode_text(first(fields, "subject"), 300)) is not None


_RULES = frozenset(
    {
        "x-ms-exchange-generated-message-source",
        "x-ms-exchange-inbox-rules-loop",
        "x-ms-exchange-parent-message-id",
        "x-ms-exchange-forwardingloop",
        "x-forwarded-for",
        "x-sieve-redirected-from",
    }
)
_FORWARDED = re.compile(
    r"\s*(?:fw|fwd|tr|wg|rv|enc|i|vs|vb|doorst|fs|pd|továbbítás|转发|轉寄|転送)\s*(?:\[\d{1,3}\])?\s*[:\uff1a]", re.I
)


def _invites(tree: Tree) -> bool:
    """Whether somebody asks to meet: his calendar sends it for him, and says so, but he waits for an answer."""
    fields = tree.root.fields
    if from_machine(fields) or _is_from_no_reply(fields) or _is_from_program(fields):
        return False  # what a machine announces nobody waits for
    return any(
        part.media_type == "text/calendar" and part.parameters.get("method", "").lower() in _ASKING
        for part in tree.root.leaves()
    )


_ASKING = frozenset({"request", "counter", "cancel"})


def _is_discussion(fields: Fields, list_id: str) -> bool:
    """Whether people write to each other through this list: what a newsletter is sent by lets nobody post."""
    post = _word(fields, "list-post")
    if post and not post.startswith("no"):
        return True
    if _answers(fields) and not fields.keys() & _CAMPAIGN:
        return True
    return bool(list_id) and "list-unsubscribe-post" not in fields and "list-unsubscribe" not in fields


def _bulk(fields: Fields) -> bool:
    precedence = _word(fields, "precedence")
    return (
        precedence in ("bulk", "junk", "auto_reply", "auto-reply", "autoreply")
        or "list-unsubscribe" in fields
        or (precedence == "list" and "list-post" not in fields)
        or not fields.keys().isdisjoint(_CAMPAIGN)
    )


_SET = re.compile(r"(?!(?:no|none|false|0)?\s*$)")
"""Anything but a denial."""
_REPLIES = (
    ("x-autoreply", _SET),
    ("x-autorespond", _SET),
    ("x-autoresponse", _SET),
    ("x-auto-reply", _SET),
    ("x-auto-reply-from", _SET),
    ("x-autoreply-from", _SET),
    ("x-mail-autoreply", _SET),
    ("x-autoresponder", _SET),
    ("x-vacation", _SET),
    ("x-apple-action", re.compile(r"vacation")),
    ("x-cyrus-session-id-vacation", _SET),
    ("x-ms-exchange-generated-message-source", re.compile(r"mailbox rules|oof|out of office|antispam|journal|agent")),
    ("x-fc-machinegenerated", re.compile(r"true|yes|1")),
    ("x-challenge-response", _SET),
    ("x-boxtrapper", _SET),
    ("x-spamarrest-noauth", _SET),
    ("x-tmda-fingerprint", _SET),
    ("x-gmx-autoreply", _SET),
    ("x-mailer", re.compile(r"vacation|auto-?(?:reply|respond)|smartermail auto|autoreply", re.I)),
    ("preference", re.compile(r"auto_?reply")),
    ("delivered-to", re.compile(r"^autoresponder\b")),
    ("x-precedence", re.compile(r"auto_?reply")),
    ("precedence", re.compile(r"^auto[_-]?reply")),
    ("x-pobox-autoresponse", _SET),
)
_NOTICES = (
    ("x-cron-env", _SET),
    ("x-auto-generated", _SET),
    ("x-github-reason", _SET),
    ("x-gitlab-notificationreason", _SET),
    ("x-jira-fingerprint", _SET),
    ("x-nagios-notification", _SET),
    ("x-bugzilla-reason", _SET),
    ("x-jenkins-job", _SET),
    ("x-system-generated", re.compile(r"true|yes|1")),
    ("x-abuse-reports-to-automatic", _SET),
    ("x-list-administrivia", _SET),
    ("x-mailer", re.compile(r"^(?:grafana|zabbix|nagios|icinga|sentry|jenkins|jira|redmine|bugzilla|servicenow)\b")),
)
_CAMPAIGN = frozenset(
    {
        "feedback-id",
        "x-feedback-id",
        "list-unsubscribe-post",
        "x-campaign",
        "x-campaignid",
        "x-campaign-id",
        "x-mailchimp-campaign",
        "x-mc-user",
        "x-mailgun-campaign-id",
        "x-csa-complaints",
        "x-mailjet-campaign",
        "x-mj-mid",
        "x-sib-id",
        "x-sg-eid",
        "x-ses-outgoing",
        "x-report-abuse-to",
        "x-mailer-recptid",
        "x-newsletter",
        "x-mailing-list-name",
    }
)

# ---------------------------------------------------------------- nothing may go back


def _is_unanswerable(fields: Fields, *, may_name_one: bool) -> bool:
    """RFC 3834 §2: nobody, no-reply, lists and bulk get no answer by themselves, whoever wrote."""
    precedence = _word(fields, "precedence")
    return (
        is_null_path(fields)
        or (may_name_one and (from_machine(fields) or _is_no_reply(fields) or _is_from_no_reply(fields)))
        or any(name.startswith("list-") for name in fields)
        or precedence in ("bulk", "list", "junk")
        or not fields.keys().isdisjoint(("feedback-id", "x-loop", "x-mailing-list", "mailing-list", "x-list"))
        or _wants_no_answer(fields)
    )


def _may_name_a_machine(fields: Fields) -> bool:
    """Whether From or Reply-To can name one at all: one look, which nearly every mail fails."""
    sender = first(fields, "from")
    return b"@" not in sender or _MAY_BE_ONE.search(sender + first(fields, "reply-to")) is not None


def _is_no_reply(fields: Fields) -> bool:
    if not any(_MAY_NOT_REPLY.search(value) for name in ("reply-to", "from") for value in fields.get(name, ())[:1]):
        return False
    for name in ("reply-to", "from"):
        for address in read_addresses(fields.get(name, ())[:1]):
            if address.value:
                # Where answers are wanted elsewhere, the sender's own name says nothing.
                return _NO_REPLY.search(address.value) is not None
    return False


def _is_from_no_reply(fields: Fields) -> bool:
    return _MAY_NOT_REPLY.search(first(fields, "from")) is not None and any(
        _NO_REPLY.search(address.value) for address in read_addresses(fields.get("from", ())[:1])
    )


_MAY_NOT_REPLY = re.compile(rb"repl|respon|repon|antwort|answer|contest|rispond|svar", re.I)
"""What `_NO_REPLY` cannot be without: nearly every mail is done with here, before its addresses are read."""
_NO_REPLY = re.compile(
    r"^(?:[\w.+-]{0,60}[._+-])?(?:no|do[._-]?not|dont|not|ne[._-]?pas|pas[._-]?de)[._-]?"
    r"(?:reply|repondre|reponse|response|antwort|answer|respon\w{0,6})(?:[\d._+-][^@]{0,200})?@"
    r"|^(?:nepasrepondre|nichtantworten|nao-?responda|no-?contestar|non-?rispondere|keine-?antwort|ikkesvar|svarainte)"
    r"[\w.+-]{0,60}@"
)


def _is_from_program(fields: Fields) -> bool:
    """Whether it comes from an address programs write from, and answers are not wanted at another."""
    if _MAY_BE_PROGRAM.search(first(fields, "from")) is None:
        return False
    for name in ("reply-to", "from"):
        for address in read_addresses(fields.get(name, ())[:1]):
            if address.value:
                return _PROGRAM.match(address.value) is not None
    return False


_PROGRAM = re.compile(
    r"(?:root|fail2ban|smartd|mdadm|apticron|rkhunter|clamav|veeam|proxmox|pve|apcupsd|nagios\w{0,10}|icinga\d?|zabbix|munin|monit|logwatch|logcheck|cron(?:d|-?daemon)?|anacron|www-data|wordpress|"
    r"grafana|prometheus|alertmanager|sentry|jenkins|gitlab|bugzilla|redmine|jira|nas|dmarc-?report\w{0,10}|"
    r"(?:[\w.+-]{0,60}[._+-])?(?:notifications?|notify|notifier|benachrichtigung(?:en)?|notificacion(?:es)?|notificacoes|"
    r"notifiche|powiadomieni[ae]|meldingen|aviseringar|varslinger|notifikationer|ilmoitukset|upozorneni|ertesites|"
    r"notificari|bildirim(?:ler)?))(?:[+._-][^@]{0,200})?@"
)
_MAY_BE_PROGRAM = re.compile(
    rb"root|ban@|smartd|mdadm|apticron|rkhunt|clamav|veeam|prox|pve@|apcupsd|nagios|icinga|zabbix|munin|monit|log|cron|www|wordpress|grafana|prome|alert|sentry|jenk|git|bugz|redm|jira|nas|dmarc"
    rb"|notif|benach|powiad|meld|aviser|varsl|ilmoit|upozor|ertes|bildir",
    re.I,
)
"""What `_PROGRAM` cannot be without."""
_MAY_BE_ONE = re.compile(b"|".join(each.pattern for each in (MAY_BE_MACHINE, _MAY_NOT_REPLY, _MAY_BE_PROGRAM)), re.I)
_REPORTS_DMARC = re.compile(r"\s*(?:\[[^\]]{0,20}\]\s*)?report domain:\s*\S{1,255}\s+submitter:", re.I)
"""RFC 7489 §7.2.1.1."""


def _list_id(fields: Fields) -> str:
    value = as_text(first(fields, "list-id"))[:2000]
    found = re.search(r"<\s*([^<>\s]{1,255})\s*>", value) or re.search(r"([\w.-]{1,255}\.[\w-]{1,63})\s*$", value)
    return found[1].lower()[:LONGEST_LIST_ID] if found else ""


# ---------------------------------------------------------------- words and marks


def _word(fields: Fields, name: str) -> str:
    """A field's value without comments and parameters, lower case."""
    value = as_text(first(fields, name))[:1000]
    return value.partition(";")[0].partition("(")[0].strip().lower()


def _answers(fields: Fields) -> bool:
    return bool(first(fields, "in-reply-to").strip() or first(fields, "references").strip())


_ANSWER = re.compile(
    r"\s*(?:re|aw|sv|vs|antw|odp|r|rif|res|ynt|atb|fw|fwd|tr|wg|rv|enc|i|rép|ré)\s*(?:\[\d{1,3}\])?\s*[:\uff1a]", re.I
)

_NAMES = (
    # English
    r"auto(?:matic(?:ally)?|mated)?[ -]?(?:reply|response|responder|answer)(?: message)?",
    r"this is an auto(?:mated|matic) (?:reply|response|message)",
    r"out of (?:the )?office(?: auto-?reply)?|ooo|away from (?:the )?office",
    r"vacation (?:reply|message|notice|response)",
    # Français
    r"r[ée]ponse automatique|message automatique|absence du bureau|absent du bureau",
    r"(?:notification|avis|message) d.absence",
    # Deutsch
    r"automatische antwort|abwesend",
    r"abwesenheits(?:notiz|nachricht|meldung|assistent|benachrichtigung)(?: [\w-]{1,30})?",
    # Italiano, español, português
    r"risposta automatica|fuori (?:sede|ufficio)|respuesta autom[áa]tica|fuera de (?:la )?oficina",
    r"ausente del? (?:la )?oficina|resposta autom[áa]tica|fora do escrit[óo]rio|aus[êe]ncia do escrit[óo]rio",
    # Nederlands, svenska, dansk, norsk, suomi
    r"automatisch antwoord|afwezig(?:heid(?:sbericht)?)?|automatiskt svar|autosvar|fr[åa]nvaro(?:meddelande)?",
    r"automatisk svar(?:sbesked)?|ikke p[åa] kontoret|automaattinen vastaus|poissaoloviesti|poissa toimistolta",
    # Polski, čeština, slovenčina, magyar, română, latviešu
    r"automatyczna odpowied[źz]|odpowied[źz] automatyczna|poza biurem|nieobecno[śs][ćc]",
    r"automatick[áa] odpov[ěe][ďd]|mimo kancel[áa][řr]|automatikus v[áa]lasz|r[ăa]spuns automat",
    r"autom[āa]tisk[āa]? atbilde|[āa]rpus biroja",
    # Türkçe, ελληνικά
    r"otomatik yan[\u0131i]t|ofis d[\u0131i][şs][\u0131i]nda|αυτόματη απάντηση|εκτός γραφείου",
    # Русский, українська
    r"автоответ(?:чик)?|автоматический ответ|ответ автоматически|автоматична відповідь|нет на работе|отсутств\w{0,10}",
    # 日本語, 中文, 한국어
    r"自動(?:応答|返信|送信|回覆|答覆)(?:メール)?|不在(?:通知|届|のお知らせ)|外出中",
    r"自动(?:回复|答复|回信)|부재 ?중(?: ?(?:자동 ?응답|메시지|알림))?|자동 ?(?:응답|회신|답장)",
)
_ABSENT = re.compile(rf"\s*\[?(?:auto\s*:\s*)?(?:{'|'.join(_NAMES)})(?!\w)", re.I)
"""How the subject of an absence notice begins, as programs make it."""
_AWAY = re.compile(
    r"\s*(?:i (?:am|will be)|i.m|i.ll be|je (?:suis|serai)|ich bin|sono|estoy|estar[ée]|estou|jag [äa]r|jeg er|я)\b"
    r".{0,40}(?:out of (?:the )?office|away|on (?:leave|vacation|holiday)|absente?|en (?:cong[ée]s?|vacances)"
    r"|im urlaub|abwesend|fuori|fuera|de vacaciones|de f[ée]rias|p[åa] (?:semester|ferie)|в отпуске|отсутств)"
    r"|\s*(?:away|absent|on (?:leave|holiday|vacation)|en cong[ée]s?) (?:until|till|from|jusqu.?(?:au|à)|du)\b"
    r"|\s*auto\s*:",
    re.I,
)
