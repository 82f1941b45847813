# ruff: noqa: RUF001  # words of many alphabets
"""What a mail's author wrote now, apart from what is quoted: by every program, in every language we know of."""

from __future__ import annotations

import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.quotes import fresh_spans, fresh_words

WORDS = "Bonjour,\n\nmardi à 10 h me convient.\nMerci !"
THEIRS = "Pouvez-vous venir mardi ?\n\nLe cabinet"
QUOTED = "> Pouvez-vous venir mardi ?\n>\n> Le cabinet"

ATTRIBUTIONS = [
    "Le lun. 2 mars 2026 à 14:05, Cabinet Roux <cabinet@roux.example> a écrit :",
    "Le lun. 2 mars 2026 à 14:05, Cabinet Roux\n<cabinet@roux.example> a écrit :",
    "Le 2 mars 2026 à 14:05, Cabinet Roux <cabinet@roux.example> a écrit\xa0:",
    "Le lundi 2 mars 2026 à 14:05:12 UTC+1, Cabinet Roux <cabinet@roux.example> a écrit :",
    "Le 02/03/2026 à 14:05, Cabinet Roux a écrit :",
    "Le 02/03/2026 14:05, cabinet@roux.example a écrit :",
    "Cabinet Roux <cabinet@roux.example> a écrit :",
    '2 mars 2026 14:05 "Cabinet Roux" <cabinet@roux.example> a écrit:',
    "On Mon, Mar 2, 2026 at 2:05 PM Cabinet Roux <cabinet@roux.example> wrote:",
    "On Mon, Mar 2, 2026 at 2:05\u202fPM Cabinet Roux <\ncabinet@roux.example> wrote:",
    "On 2 Mar 2026, at 14:05, Cabinet Roux <cabinet@roux.example> wrote:",
    "On Monday, March 2nd, 2026 at 14:05, Cabinet Roux <cabinet@roux.example> wrote:",
    "---- On Mon, 02 Mar 2026 14:05:00 +0100 Cabinet Roux <cabinet@roux.example> wrote ----",
    "Am Mo., 2. März 2026 um 14:05 Uhr schrieb Praxis Roux <praxis@roux.example>:",
    "Am 02.03.2026 um 14:05 schrieb Praxis Roux:",
    "Praxis Roux <praxis@roux.example> schrieb am Mo., 2. März 2026, 14:05:",
    "Il giorno lun 2 mar 2026 alle ore 14:05 Studio Roux <studio@roux.example> ha scritto:",
    "Il 02/03/2026 14:05, Studio Roux ha scritto:",
    "El lun, 2 mar 2026 a las 14:05, Consulta Roux (<consulta@roux.example>) escribió:",
    "El 2/3/26 a las 14:05, Consulta Roux escribió:",
    "Em seg., 2 de mar. de 2026 às 14:05, Clínica Roux <clinica@roux.example>\nescreveu:",
    "A segunda, 2/03/2026, 14:05, Clínica Roux <clinica@roux.example> escreveu:",
    "Op ma 2 mrt 2026 om 14:05 schreef Praktijk Roux <praktijk@roux.example>:",
    "Op 2 mrt. 2026, om 14:05 heeft Praktijk Roux <praktijk@roux.example> het volgende geschreven:",
    "Den mån 2 mars 2026 kl 14:05 skrev Mottagning Roux <mottagning@roux.example>:",
    "Den man. 2. mar. 2026 kl. 14.05 skrev Klinik Roux <klinik@roux.example>:",
    "man. 2. mars 2026 kl. 14:05 skrev Klinikk Roux <klinikk@roux.example>:",
    "ma 2. maalisk. 2026 klo 14.05 Vastaanotto Roux (vastaanotto@roux.example) kirjoitti:",
    "pon., 2 mar 2026 o 14:05 Gabinet Roux <gabinet@roux.example> napisał(a):",
    "W dniu 02.03.2026 o 14:05, Gabinet Roux pisze:",
    "po 2. 3. 2026 v 14:05 odesílatel Ordinace Roux <ordinace@roux.example> napsal:",
    "po 2. 3. 2026 o 14:05 Ambulancia Roux <ambulancia@roux.example> napísal(a):",
    "Roux rendelő <rendelo@roux.example> ezt írta (időpont: 2026. márc. 2., H, 14:05):",
    "În lun., 2 mar. 2026 la 14:05, Cabinet Roux <cabinet@roux.example> a scris:",
    "пн, 2 мар. 2026 г. в 14:05, Кабинет Ру <cabinet@roux.example>:",
    "2 марта 2026 г., в 14:05, Кабинет Ру <cabinet@roux.example> написал(а):",
    "пн, 2 бер. 2026 р. о 14:05 Кабінет Ру <cabinet@roux.example> пише:",
    "Στις Δευ 2 Μαρ 2026 στις 2:05 μ.μ., ο χρήστης Ιατρείο Ρου <iatreio@roux.example> έγραψε:",
    "Muayenehane Roux <muayenehane@roux.example>, 2 Mar 2026 Pzt, 14:05 tarihinde şunu yazdı:",
    "2026年3月2日(月) 14:05 ルー診療所 <clinic@roux.example>:",
    "> 2026/03/02 14:05、ルー診療所 <clinic@roux.example>のメール:",
    "Roux <clinic@roux.example> 于2026年3月2日周一 14:05写道：",
    "Roux <clinic@roux.example> 於 2026年3月2日 週一 下午2:05寫道：",
    "2026년 3월 2일 (월) 오후 2:05, 루 의원 <clinic@roux.example>님이 작성:",
    "בתאריך יום ב׳, 2 במרץ 2026 ב-14:05 מאת מרפאה <clinic@roux.example>:",
    "2026-03-02 14:05 GMT+01:00 Cabinet Roux <cabinet@roux.example>:",
]
HEADS = [
    "De : Cabinet Roux <cabinet@roux.example>\nEnvoyé : lundi 2 mars 2026 14:05\nÀ : Nora Petit\nObjet : Rendez-vous",
    "De\xa0: Cabinet Roux\nDate\xa0: lundi, 2 mars 2026 à 14:05\nÀ\xa0: Nora\nObjet\xa0: Rendez-vous",
    "________________________________\nDe : Cabinet Roux <cabinet@roux.example>\nEnvoyé : lundi 2 mars 2026 14:05\n"
    "À : Nora Petit\nCc : Anne\nObjet : Rendez-vous",
    "-----Message d'origine-----\nDe : Cabinet Roux [mailto:cabinet@roux.example]\nEnvoyé : lundi 2 mars 2026 14:05\n"
    "À : Nora\nObjet : Rendez-vous",
    "-------- Message d'origine --------",
    "From: Cabinet Roux <cabinet@roux.example>\nSent: Monday, March 2, 2026 2:05 PM\nTo: Nora\nSubject: RE: Visit",
    "*From:* Cabinet Roux [mailto:cabinet@roux.example]\n*Sent:* Monday, March 02, 2026 2:05 PM\n*To:* n@x.example\n"
    "*Subject:* Visit",
    "-----Original Message-----\nFrom: Cabinet Roux",
    "Von: Praxis Roux <praxis@roux.example>\nGesendet: Montag, 2. März 2026 14:05\nAn: Nora\nBetreff: Termin",
    "-----Ursprüngliche Nachricht-----\nVon: Praxis",
    "Da: Studio Roux <studio@roux.example>\nInviato: lunedì 2 marzo 2026 14:05\nA: Nora\nOggetto: Visita",
    "De: Consulta Roux <consulta@roux.example>\nEnviado: lunes, 2 de marzo de 2026 14:05\nPara: Nora\nAsunto: Cita",
    "De: Clínica Roux\nEnviado: segunda-feira, 2 de março de 2026 14:05\nPara: Nora\nAssunto: Consulta",
    "Van: Praktijk Roux <praktijk@roux.example>\nVerzonden: maandag 2 maart 2026 14:05\nAan: Nora\nOnderwerp: Afspraak",
    "Från: Mottagning Roux\nSkickat: den 2 mars 2026 14:05\nTill: Nora\nÄmne: Besök",
    "Fra: Klinik Roux\nSendt: 2. marts 2026 14:05\nTil: Nora\nEmne: Besøg",
    "Lähettäjä: Vastaanotto\nLähetetty: maanantai 2. maaliskuuta 2026 14.05\nVastaanottaja: Nora\nAihe: Käynti",
    "Od: Gabinet Roux\nWysłano: poniedziałek, 2 marca 2026 14:05\nDo: Nora\nTemat: Wizyta",
    "Od: Ordinace Roux\nOdesláno: pondělí 2. března 2026 14:05\nKomu: Nora\nPředmět: Návštěva",
    "Feladó: Rendelő\nElküldve: 2026. március 2., hétfő 14:05\nCímzett: Nora\nTárgy: Időpont",
    "От: Кабинет Ру\nОтправлено: 2 марта 2026 г. 14:05\nКому: Нора\nТема: Приём",
    "Від: Кабінет Ру\nНадіслано: 2 березня 2026 р. 14:05\nКому: Нора\nТема: Прийом",
    "Kimden: Muayenehane\nGönderildi: 2 Mart 2026 Pazartesi 14:05\nKime: Nora\nKonu: Randevu",
    "差出人: ルー診療所\n送信日時: 2026年3月2日 14:05\n宛先: ノラ\n件名: 予約",
    "发件人: Roux\n发送时间: 2026年3月2日 14:05\n收件人: Nora\n主题: 预约",
    "보낸 사람: 루 의원\n보낸 날짜: 2026년 3월 2일\n받는 사람: 노라\n제목: 예약",
]
DEVICES = [
    "Envoyé de mon iPhone",
    "Envoyé depuis mon Galaxy",
    "Envoyé à partir de Outlook pour Android",
    "Télécharger Outlook pour iOS<https://aka.ms/o0ukef>",
    "Envoyé à partir de Yahoo Mail pour iPhone",
    "Sent from my iPhone",
    "Sent with Proton Mail secure email.",
    "Get Outlook for Android",
    "Von meinem iPhone gesendet",
    "Gesendet mit der GMX Mail App",
    "Inviato da iPhone",
    "Enviado desde mi iPhone",
    "Enviado do meu iPhone",
    "Verstuurd vanaf mijn iPhone",
    "Skickat från min iPhone",
    "Sendt fra min iPhone",
    "Lähetetty iPhonesta",
    "Wysłane z iPhone'a",
    "Odesláno z iPhonu",
    "Отправлено с iPhone",
    "iPhone'umdan gönderildi",
    "iPhoneから送信",
    "发自我的iPhone",
    "나의 iPhone에서 보냄",
]
PROSE = [
    "Voici le point :\n\nle 3 mars 2026 à 14:05, rendez-vous avec Mme Petit.\nLe 4, rien.",
    "De : rien du tout.\nJ'ai bien reçu votre courrier.",
    "On ne m'a pas répondu le 2 mars. Elle a écrit :\n\nje viendrai.",
    "Nos horaires :\n- lundi : 9 h à 12 h\n- mardi : fermé\n\n-- suite au prochain courrier",
    "Objet : devis\nDate : lundi\nLieu : Lyon\n\nTout est là.",
    "Envoyé le dossier par la poste hier, vous l'aurez jeudi.",
    "Sent from my desk, is much easier than my mobile phone.",
    "Bonjour,\nEnvoyé depuis mon téléphone, le plan\nn’était pas lisible. Le revoici.",
    "Voici le plan.\n\nEnvoyé par mail hier.",
    "Voici le plan.\n\nEnvoyé hier depuis mon téléphone.",
    "Hier ist der Plan.\n\nGesendet per E-Mail an die Praxis.",
    "Ma question :\n> pas une citation, un chevron\n\nEt la suite.",
    "Mon numéro : 01 99 00 00 00\nMon adresse : nora@example.org",
    "Je suis libre :\n- Lundi\n- Mardi",
    "10 - 3 = 7\n-----\nTotal : 7 et le reste demain.\nÀ bientôt pour la suite du calcul.",
]


def trimmed(text: str) -> str:
    return fresh_words(text, fresh_spans(text))


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_what_a_program_puts_above_a_quotation_is_known_for_it(attribution: str) -> None:
    assert trimmed(f"{WORDS}\n\n{attribution}\n\n{QUOTED}\n") == WORDS
    assert trimmed(f"{WORDS}\n{attribution}\n{QUOTED}\n\n") == WORDS


@pytest.mark.parametrize("attribution", [a for a in ATTRIBUTIONS if not a.startswith(">")])
def test_what_is_quoted_without_marks_is_quoted_all_the_same(attribution: str) -> None:
    assert trimmed(f"{WORDS}\n\n{attribution}\n\n{THEIRS}\n") == WORDS


@pytest.mark.parametrize("attribution", [a for a in ATTRIBUTIONS if not a.startswith(">")])
def test_an_answer_under_the_quotation_is_found(attribution: str) -> None:
    assert trimmed(f"{attribution}\n{QUOTED}\n\n{WORDS}\n") == WORDS


@pytest.mark.parametrize("head", HEADS)
def test_the_header_of_a_quoted_mail_ends_the_answer(head: str) -> None:
    assert trimmed(f"{WORDS}\n\n{head}\n\n{THEIRS}\n") == WORDS


@pytest.mark.parametrize("device", DEVICES)
def test_what_a_telephone_adds_is_no_word_of_its_owner(device: str) -> None:
    assert trimmed(f"{WORDS}\n\n{device}\n") == WORDS
    assert trimmed(f"{WORDS}\n\n{device}\n\n{ATTRIBUTIONS[0]}\n\n{QUOTED}\n") == WORDS


@pytest.mark.parametrize("prose", PROSE)
def test_what_only_looks_like_a_quotation_stays(prose: str) -> None:
    assert trimmed(prose) == prose


def test_answers_between_the_quoted_lines_keep_what_they_answer() -> None:
    text = f"{ATTRIBUTIONS[0]}\n> Quel jour ?\n\nMardi.\n\n> Quelle heure ?\n\n10 h.\n\n> Le cabinet\n"
    assert trimmed(text) == "> Quel jour ?\n\nMardi.\n\n> Quelle heure ?\n\n10 h."


def test_a_signature_goes_and_what_follows_a_quotation_stays() -> None:
    assert trimmed(f"{WORDS}\n\n-- \nNora Petit\n12 rue des Lilas\n") == WORDS
    assert trimmed(f"{WORDS}\n--\nNora Petit\n\n{ATTRIBUTIONS[0]}\n{QUOTED}\n") == WORDS
    assert trimmed(f"{ATTRIBUTIONS[0]}\n{QUOTED}\n\n{WORDS}\n\n-- \nNora\n") == WORDS


def test_what_a_list_adds_goes() -> None:
    footer = "_______________________________________________\nListe clients\nclients@listes.example\nhttps://listes.example/"
    assert trimmed(f"{WORDS}\n\n{footer}\n") == WORDS


def test_a_mail_that_only_quotes_is_shown_whole() -> None:
    assert fresh_spans(f"{ATTRIBUTIONS[0]}\n{QUOTED}\n") == ()
    assert fresh_spans(WORDS) == ()


def test_code_between_fences_is_no_quotation() -> None:
    code = "Voici :\n\n```\n> 1 + 1\nFrom: a\nSent: b\nTo: c\n2\n```\n\nVoilà."
    assert trimmed(code) == code


@given(
    st.lists(st.sampled_from(["", "> a", ">> b", "Oui.", "-- ", "-----", *ATTRIBUTIONS[:3], *HEADS[:2]]), max_size=30)
)
def test_the_places_are_in_order_within_the_text_and_never_empty_of_words(lines: list[str]) -> None:
    text = "\n".join(lines)
    spans = fresh_spans(text)
    places = [place for span in spans for place in span]
    assert places == sorted(places)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert not spans or fresh_words(text, spans)


@pytest.mark.parametrize(
    "hostile",
    ["\n" * 100_000, ">" * 100_000, "> \n" * 50_000, "On " * 40_000, "a@" * 50_000, "From: a\n" * 20_000, "- " * 50_000,
     "Le 2 mars 2026 à 14:05, \n" * 5_000, "De : x\nDate : y\n" * 10_000, "<" * 100_000 + " a écrit :", "_ " * 50_000,
     "Sent from " * 10_000, "1 " * 50_000 + "wrote:", "a:" * 50_000],
    ids=range(14),
)  # fmt: skip
def test_a_hostile_mail_takes_no_time(hostile: str) -> None:
    began = time.process_time()
    fresh_spans(hostile)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("width", [76, 48, 36])
@pytest.mark.parametrize("attribution", [a for a in ATTRIBUTIONS if "@" in a and not a.startswith(">")])
def test_an_attribution_is_known_wherever_it_is_broken(attribution: str, width: int) -> None:
    broken = "\n".join(textwrap.wrap(attribution, width, break_long_words=False, break_on_hyphens=False))
    assert trimmed(f"{WORDS}\n{broken}\n{QUOTED}\n") == WORDS
    assert trimmed(f"{broken}\n{QUOTED}\n\n{WORDS}\n") == WORDS
