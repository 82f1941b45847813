"""How mail servers say that something did not arrive, and what status (RFC 3463) their words amount to."""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST_SEARCHED = 20_000


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.I)


FAILURES = _any(
    # English
    r"undeliver(?:able|ed)",
    r"(?:mail|message|delivery) (?:status )?(?:notification|report|failure|failed|has failed|error)",
    r"(?:could|can|did|was|were|may|has|have) ?not (?:be|been|get|reach)? ?(?:delivered|sent|reached?|deliver)",
    r"couldn.t be delivered",
    r"returned (?:mail|to sender|message)",
    r"returning (?:mail|message) to sender",
    r"unable to (?:deliver|relay|send)",
    r"failure notice",
    r"fail(?:ed|ure) (?:to|in) (?:deliver|send)\w*",
    r"(?:delivery|message) (?:\S+ ){0,5}fail(?:ed|ure)",
    r"wasn.t able to deliver",
    r"(?:addresses|recipients?) (?:\S+ ){0,4}(?:fatal|delivery|permanent|following|unreachable) ?errors?",
    r"(?:error|trouble|problem)s? (?:\S+ ){0,3}(?:deliver|sending)\w*",
    r"has been (?:rejected|blocked|refused)",
    r"mail (?:system )?error",
    r"(?:recipients?|users?|mailbox(?:es)?|address(?:es)?) (?:\S+ ){0,3}(?:unknown"
    r"|not (?:found|exist)|rejected|invalid)",
    r"did not reach",
    r"message (?:you sent )?blocked",
    r"\bbounced\b",
    # Français
    r"non.?remis|non.?d[ée]livr|non.?distribu|non.?livr[ée]",
    r"n.a(?:i)? (?:pas )?(?:pu|[ée]t[ée])(?: pas)? (?:[êe]tre )?(?:remis|distribu|d[ée]livr|achemin|envoy)",
    r"n.a pas pu|n.ont pas pu|impossible de (?:remettre|d[ée]livrer|distribuer|livrer|transmettre)",
    r"[ée]chec de (?:la )?(?:remise|livraison|distribution|d[ée]livrance|l.envoi)",
    r"retour (?:[àa] l.exp[ée]diteur|de courrier)",
    # Deutsch
    r"unzustellbar|nicht (?:zugestellt|zustellbar|ausgeliefert|[üu]bermittelt)",
    r"konnte nicht|zustellung (?:\S+ )?fehlge",
    r"fehler (?:bei der|beim) (?:zustell|versand|senden)|zustellungsfehler|zur[üu]ckgesendet",
    # Español, português, italiano
    r"no (?:se )?(?:ha podido|pudo|puede|fue posible|entregado)",
    r"no se entreg|imposible entregar|error (?:de|en la) entrega",
    r"n[ãa]o (?:p[ôo]de|foi (?:poss[íi]vel|entregue)|entregue)|falha (?:na|de) entrega",
    r"mancat[oa] (?:recapito|consegna)|impossibile (?:recapitare|consegnare|inviare)",
    r"non (?:recapitabile|[èe] stato|consegnat)",
    # Nederlands, skandinaviska, suomi, polski, čeština, magyar, română
    r"onbestelbaar|niet (?:worden )?(?:afgeleverd|bezorgd)",
    r"kunde inte (?:levereras|skickas)|oleverer|kunne ikke lever",
    r"ikke leveret|ikke levert|ei voitu (?:toimittaa|v[äa]litt)|toimitus ep[äa]onnistu",
    r"nie (?:mo[żz]na|uda[łl]o|dostarcz|zosta[łl]a dostarcz)|niedostarcz|nedoru[čc]|nelze doru[čc]|nepoda[řr]ilo",
    r"k[ée]zbes[íi]thetetlen|nem (?:siker[üu]lt|k[ée]zbes)|nu a (?:putut|fost) (?:fi )?livrat",
    # Türkçe, ελληνικά
    r"teslim edileme|iletileme|δεν (?:παραδ[όο]θηκε|[ήη]ταν δυνατ[ήη])|μη παραδοτ",
    # Русский, українська
    r"не ?достав|недостав|невозможно достав|не может быть достав|не удалось|не (?:было|была) достав|не вдалося",
    # 日本語, 中文, 한국어
    r"配信(?:できません|不能|に失敗|エラー|され)|送信(?:できません|エラー|に失敗)|届(?:けられ|きません|かな)|メールエラー|エラーメール",
    r"お届けでき|配達(?:できません|不能)|送達できません|存在しません|宛先不明",
    r"退信|无法(?:投递|送达|发送|傳送|传递)|無法(?:投遞|傳遞|送達|寄)|投递失败|发送失败|退回|未送達|递送失败|系统退信",
    r"배달(?:되지|할 수 없|실패|이? ?안)|전송(?:되지|할 수 없|실패)|반송|수신 ?실패",
)
"""A server says that a mail did not arrive."""

DELAYS = _any(
    r"\bdelay(?:ed)?\b(?! ?(?:period|expired))",
    r"warning: (?:could not send|message|mail)",
    r"warning message only",
    r"will (?:be retried|retry|keep trying|continue (?:to )?try)",
    r"still (?:trying|being)|not (?:yet )?been delivered (?:yet|to one or more)",
    r"(?:do not|no) need to (?:re-?send|do anything)|no action is required",
    r"diff[ée]r[ée]|retard[ée]|d.lai de (?:remise|livraison)|nouvelles? tentatives? (?:de|sera|seront)",
    r"verz[öo]ger|retras(?:o|ado)|atras(?:o|ado|ada) na|ritard(?:o|ata)|vertraag|f[öo]rdr[öo]j|forsinke|op[óo][źz]ni",
    r"задерж|отложен|затрим|遅延|遅れて|延迟|延遲|지연",
)
"""A server says that it goes on trying."""

_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "5.2.2",
        _any(
            r"(?:mail(?:box)?|inbox|storage|user|account|quota|disk)[^.\n]{0,40}(?:is "
            r"|are )?(?:full|exceed|over|quota|limit)",
            r"over ?quota|quota (?:exceeded|violation)",
            r"exceeded (?:\S+ ){0,4}(?:quota|storage|space)|not enough storage",
            r"insufficient (?:disk|storage|space)|mailbox size limit",
            r"bo[îi]te (?:\S+ ){0,6}pleine|quota (?:\S+ )?d[ée]pass|espace (?:\S+ ){0,6}insuffisant",
            r"postfach (?:\S+ ){0,6}(?:voll|[üu]berf[üu]llt)|buz[óo]n (?:\S+ ){0,6}lleno|caixa (?:\S+ ){0,6}cheia",
            r"casella (?:\S+ ){0,6}piena|mailbox (?:\S+ )?vol\b|skrzynka (?:\S+ ){0,6}pe[łl]na|переполнен|квот",
            r"メールボックス.{0,12}(?:一杯|いっぱい|満杯|容量)|容量(?:超過|オーバー)|邮箱.{0,6}满|信箱.{0,6}滿|空间不足|메일함.{0,8}(?:가득|초과)",
        ),
    ),
    (
        "5.3.4",
        _any(
            r"(?:message|mail|size)[^.\n]{0,40}(?:too (?:large|big)|exceeds?|larger than)[^.\n]{0,40}",
            r"too (?:large|big)|size limit|maximum (?:message|file) size",
            r"trop (?:volumineux|gros|grand)|taille (?:maximale|maximum|limite)",
            r"zu gro(?:ß|ss)|demasiado grande|muito grande",
            r"troppo grande|te groot|слишком (?:больш|велик)|サイズ.{0,8}(?:超|大き)|大小超过|过大",
        ),
    ),
    (
        "5.1.2",
        _any(
            r"(?:host|domain)(?: name)? (?:\S+ ){0,3}(?:unknown|not found|not exist|lookup fail|invalid)",
            r"unknown (?:host|domain)",
            r"no such (?:host|domain)",
            r"(?:dns|name|mx)[ -](?:lookup|resolution|server|record)[^.\n]{0,30}(?:fail|error|not)",
            r"nxdomain|domain (?:\S+ )?does not exist",
            r"couldn.t find (?:any|a) (?:host|mail exchanger)|no mail (?:exchanger|server)",
            r"(?:no|unable to find|unrouteable) (?:\S+ )?(?:mx|route|dns)",
            r"unrouteable (?:mail )?domain|bad destination (?:host|system)",
            r"domaine? (?:\S+ ){0,4}(?:n.existe pas|inconnu|introuvable)|dom[äa]ne (?:\S+ ){0,3}(?:nicht|unbekannt)",
            r"dominio (?:\S+ ){0,3}(?:no existe|inesistente|desconocido|inexistente)",
            r"домен.{0,20}не (?:существует|найден)",
            r"ドメイン.{0,10}(?:存在しない|見つかり|存在しません)|域名.{0,8}(?:不存在|无法)|域名解析",
        ),
    ),
    (
        "5.1.1",
        _any(
            r"(?:no such|unknown|invalid|non-?existent|bad|not? a? ?valid|unrouteable) (?:\S+ ){0,2}"
            r"(?:user|recipient|mailbox|address|account|person|alias|destination)",
            r"(?:user|recipient|mailbox|address|account|alias)(?: address)?[^.\n]{0,60}?"
            r"(?:unknown|not (?:found|known|exist|listed|valid)|does(?:n.t"
            r"| not) (?:exist|have)|unavailable|invalid|no such)",
            r"(?:user|address|mailbox|account|recipient|person)[^.\n]{0,40}(?:could not"
            r"|couldn.t|can(?:no|.)t) be found",
            r"recipient address rejected: access denied",  # Exchange Online, of who does not exist
            r"no (?:mailbox|account|user|valid recipients?)(?: here)?|not our customer|this user doesn.t have",
            r"(?:destinataire|utilisateur|adresse|bo[îi]te)s? (?:\S+ ){0,5}(?:inconnue?s?"
            r"|inexistante?s?|n.existe|introuvable|invalide)",
            r"n.existe pas|user.?unknown|adresse? (?:\S+ ){0,3}(?:d.)?inconnu",
            r"(?:empf[äa]nger|benutzer|adresse|postfach)\S* (?:\S+ ){0,4}(?:unbekannt"
            r"|nicht (?:gefunden|existiert|vorhanden)|existiert)",
            r"(?:destinatario|usuario|direcci[óo]n|utente|indirizzo|casella"
            r"|destinat[áa]rio|usu[áa]rio|endere[çc]o)[^.\n]{0,40}"
            r"(?:no existe|desconocid|no encontrad|inesistente|sconosciut"
            r"|non (?:esiste|trovat)|n[ãa]o existe|desconhecid|inv[áa]lid)",
            r"(?:пользовател|получател|ящик|адрес)\S*[^.\n]{0,30}(?:не (?:существует|найден|зарегистр)|неизвест)",
            r"(?:адреса|користувач)\S*[^.\n]{0,30}не (?:існує|знайден)",
            r"(?:ユーザ|アドレス|宛先|宛て先|メールボックス).{0,20}(?:存在し|不明|見つかり|見当たり|ありません)|宛先不明",
            r"(?:收件人|用户|用戶|邮箱|地址|信箱|账号|帐号|收件者).{0,12}(?:不存在|有误|错误|未找到|无效)|不存在此|查无此人",
            r"(?:사용자|수신자|주소|메일 ?주소).{0,12}(?:없|존재하지)",
            r"(?:u[żz]ytkownik|adres|odbiorc|skrzynk)\S*[^.\n]{0,30}nie (?:istnieje|znalez)",
            r"neexistuje|nem l[ée]tezik|nu exist[ăa]",
        ),
    ),
    (
        "5.2.1",
        _any(
            r"(?:account|mailbox|user|recipient)[^.\n]{0,40}(?:disabled|inactive"
            r"|suspended|locked|discontinued|expired|deactivated|closed)",
            r"(?:compte|bo[îi]te)[^.\n]{0,40}(?:d[ée]sactiv|suspendu|inacti|ferm[ée]|bloqu)",
            r"konto[^.\n]{0,30}(?:gesperrt|deaktiviert)",
            r"заблокирован|отключен|停用|被禁用|冻结|受信拒否",
        ),
    ),
    (
        "5.7.1",
        _any(
            r"\bspam\b|\bdmarc\b|\bspf\b|\bdkim\b|black ?list|block ?list",
            r"\brbl\b|unsolicited|reputation|poor sender|spamhaus",
            r"(?:message|mail|content|connection|sender|access|relay\w*)[^.\n]{0,40}(?:rejected"
            r"|denied|refused|blocked|not (?:permitted|allowed|authori[sz]ed))",
            r"policy|not authori[sz]ed|access denied|virus|authenticat|relaying denied",
            r"(?:refus|rejet|bloqu)[ée]\w*|abgelehnt|rechazad|rifiutat",
            r"rejeitad|recusad|geweigerd|odrzuc|отклон|отверг|спам",
            r"拒否|迷惑メール|拒绝|拒收|垃圾|거부|스팸",
        ),
    ),
    (
        "5.4.7",
        _any(
            r"(?:connection|operation|delivery|session)[^.\n]{0,30}time[ds]?[ -]?out",
            r"timed out|retry time(?:out)? (?:exceeded|not reached)",
            r"(?:in|on) the queue too long|too long in queue|connection (?:refused|reset|lost)",
            r"no route to host|host (?:unreachable|not reachable)",
            r"delivery time expired|message expired|could not connect",
            r"establish an smtp connection|network is unreachable|deferred",
            r"d[ée]lai (?:\S+ )?(?:d[ée]pass|expir)|zeit[üu]berschreitung",
            r"tiempo de espera|tempo (?:limite|scaduto)|время ожидания|タイムアウト|超时",
        ),
    ),
)

_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_REPLY = re.compile(r"(?<![\d.:@/\w#=-])([45])([0-5])(\d)(?=[\s:;,\-\])]|$)(?!-?\d)", re.M)


def code_in(text: str) -> str:
    """The enhanced status code a text gives; of a bare SMTP reply its class (`5.0.0`); "" where it gives none."""
    text = text[:LONGEST_SEARCHED]
    found = _ENHANCED.search(text)
    if found:
        return f"{found[1]}.{int(found[2])}.{int(found[3])}"
    reply = _REPLY.search(text)
    return _REPLIES.get(reply[0], f"{reply[1]}.0.0") if reply else ""


# RFC 5321 §4.2.2, as far as a reply means one thing.
_REPLIES = {"552": "5.2.2", "452": "4.2.2", "421": "4.3.2"}


@lru_cache(8)  # a report of a hundred recipients asks of the same words for each
def code_of_words(text: str) -> str:
    """The status that a server's words amount to, in any of the languages known here; "" where they say nothing."""
    text = text[:LONGEST_SEARCHED]
    return next((code for code, pattern in _WORDS if pattern.search(text)), "")
