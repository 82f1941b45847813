# words of many alphabets
"""What stands under an answer and is no word of it: a name behind dashes, "Sent from my phone"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from channels.mail.heads import head_of

_SIGNATURE = re.compile(r"\s{0,2}(?:--|—|–)\s?$")


def begins_signature(line: str) -> bool:
    """RFC 3676 §4.3 says "-- "; programs write it without its space, or with a longer dash."""
    return _SIGNATURE.match(line) is not None


def goes_on(lines: Sequence[str], number: int, end: int) -> bool:
    """Whether a sentence stands under the dashes, which no signature begins with."""
    under = next((line.strip() for line in lines[number + 1 : end] if line.strip()), "")
    return (
        not lines[number].endswith("- ")
        and under[:1].islower()
        and " " in under
        and under.endswith((".", "!", "?", ","))
    )


def underlines(lines: Sequence[str], number: int) -> bool:
    """Whether a line is drawn under a title."""
    title = lines[number - 1].strip() if number else ""
    return bool(title) and abs(len(title) - len(lines[number].strip())) <= 3


ADDRESS = re.compile(r"https?://|www\.|[^\s<>@]{1,64}@[^\s<>@]{1,200}")


_NAMED = re.compile(r"\s?(?:--\s?|-|/|~)([^\W\d_][\w'’.]*)(?:\s[^\W\d_][\w'’.]*){0,3}\s*$")


def is_short_signature(lines: Sequence[str], number: int) -> bool:
    """Whether it is a name behind a dash, and no entry of a list: -Jeanne Martin."""
    line = lines[number]
    found = _NAMED.match(line)
    if found is None:
        return False
    if any(above.lstrip().startswith("-") for above in lines[max(number - 2, 0) : number]):
        return False
    return (found[1][0].isupper() or line.lstrip().startswith(("~", "/"))) and " - " not in line


# ---------------------------------------------------------------- telephones

_SENT = (
    r"sent|get outlook for|envoyé|envoyée|télécharger outlook|obtenir outlook|gesendet|von meinem|"
    r"diese nachricht wurde|"
    r"outlook für|enviado|enviada|obtener outlook|obter o outlook|inviato|scarica outlook|ottieni outlook|verzonden|"
    r"verstuurd|outlook voor|sendt|hent outlook|skickat|skickades|lähetetty|hanki outlook|wysłano|wysłane|odesláno|"
    r"odoslané|küldve|elküldve|trimis|poslano|saadetud|отправлено|надіслано|изпратено|στάλθηκε|εστάλη|gönderildi|"
    r"iphone'umdan|iphone’umdan|ipad'imden|tillgänglig|από το|enviat"
)
_DEVICE = (
    r"iphon|ipad|ipod|android|samsung|galaxy|huawei|htc|nokia|sony|xperia|xiaomi|redmi|pixel|oneplus|blackberry|"
    r"windows|outlook|mail\b|mailbox|airmail|yahoo|gmail|inbox|proton|spark|thunderbird|k-9|bluemail|mobile|mobil|"
    r"portable|móvil|movil|cell|phone|smartphone|handy|tablet|telefon|téléphone|teléfono|telefoon|telefono|phone|"
    r"puhelin|телефон|айфон|ti-85|aquamail|boxer|nine\b|newton|verizon|at&t|t-mobile|orange|sfr|device|appareil|gerät"
)
_SENT_LINE = re.compile(rf"(?:{_SENT})\b[^:,.!?]{{0,60}}?(?:{_DEVICE})", re.I)
_OUTLOOK_LINE = re.compile(
    r"(?:\S+ ){0,6}?\[?outlook.{0,30}?\b(?:ios|android).{0,20}\W{0,3}https?:|ios .{0,10}outlook.{0,20}\W{0,3}https?:|"
    r"(?:get|obten\w+|obtén|télécharge[rz]|holen|hole|lade|descarg\w+|obter|baixe|ottieni|scarica|download|skaffa|"
    r"hämta|hent|"
    r"skaff|hanki|pobierz|získa\w|stáhn\w+|nerezis\w+|tải|скачать|получить|завантажити|отримати|λήψη|αποκτήστε|"
    r"obțineți|preuzmi\w*)\b.{0,25}(?:outlook|bluemail|typeapp|edison mail|aquamail|mymail).{0,25}"
    r"\b(?:ios|android|iphone)",
    re.I,
)
_SENT_OTHERWISE = re.compile(
    r"(?:從我的|从我的|寄自我的).{0,30}(?:傳送|发送|发出)|发自我的.{0,30}|.{1,30}から送信|나의.{1,30}에서 보냄|"
    r".{1,30}에서 보냄|.{1,30}(?:umdan|imden|dan) gönderildi|(?:sent )?(?:from|via) my (?:\w+\s?){1,4}|"
    r"yahoo mail: search, organi[sz]e, conquer|"
    r"ᐧ|\w+ from (?:my )?mobile|נשלח מה.{1,20}|أرسلت من.{1,30}|.{0,12}lähetetty .{0,30}(?:sta|stä|lta|ltä)|"
    r"(?:von|vom) (?:meinem )?(?:handy|iphone|ipad|android).{0,30}gesendet.?",
    re.I,
)
_FIRST_WORD = re.compile(r"[^\W_]+(?:['’]\w+)?")
_SENT_FIRST = frozenset(found[0] for words in _SENT.split("|") if (found := _FIRST_WORD.match(words)))
"""By which word a line that `_SENT_LINE` matches begins."""
SENT_BEGINS = (
    *_SENT_FIRST,
    *(
        "get",
        "obten",
        "obtén",
        "télécharge",
        "hol",
        "lade",
        "descarg",
        "obter",
        "baixe",
        "ottieni",
        "scarica",
        "download",
    ),
    *("skaffa", "hämta", "hent", "skaff", "hanki", "pobierz", "získa", "stáhn", "nerezis", "tải", "скачать"),
    *(
        "получить",
        "завантажити",
        "отримати",
        "λήψη",
        "αποκτήστε",
        "obțineți",
        "preuzmi",
        "from my",
        "via my",
        "von",
        "vom",
    ),
)
"""As which a line of letters of ours may begin, in lower case, that says from what kind of device a mail was sent."""
SENT_ENDS = ("mobile", "gönderildi", "sta", "stä", "lta", "ltä")
"""As which such a line may end that begins otherwise."""
_OTHERWISE_HAS = re.compile(
    "outlook|bluemail|typeapp|edison mail|aquamail|mymail|傳送|发送|发出|发自我的|から送信|보냄|gönderildi| my |"
    "yahoo mail|ᐧ|mobile|נשלח|أرسلت|lähetetty|gesendet"
)
"""What stands, in lower case, in a line that `_OUTLOOK_LINE` or `_SENT_OTHERWISE` matches."""
_PROSE = re.compile(
    r"[,;]\s(?:is|was|it|but|so|and|which|et|mais|donc|und|aber|y|pero)\b|\?\s*$"
    r"|^\S+ (?:par|by|per|por|via|med|по) "
    r"(?:e-?mail|mail|courriel|correo|post|phone|tele\w+|télé\w+|почте|sms)\b"
    r"|\b(?:hier|yesterday|gestern|ayer|ieri|ontem|gisteren|today|aujourd'hui|heute|hoy|oggi|hoje|вчера|сегодня)\b",
    re.I,
)


def _tells_otherwise(said: str) -> bool:
    return _OUTLOOK_LINE.match(said) is not None or _SENT_OTHERWISE.fullmatch(said) is not None


def is_device_line(line: str) -> bool:
    """Whether a line says from what kind of device the mail was sent."""
    said = line.strip().strip("<>()[]*_•· ").strip()
    if not said or len(said) > 140:
        return False
    # What most lines fail first: they are asked of every line of every mail.
    lower = said.lower()
    first = _FIRST_WORD.match(lower)
    is_one = (first is not None and first[0] in _SENT_FIRST and _SENT_LINE.match(said)) or (
        _OTHERWISE_HAS.search(lower) is not None and _tells_otherwise(said)
    )
    if not is_one:
        return False
    return _PROSE.search(said) is None and head_of(said) is None
