# ruff: noqa: RUF001, E501  # words of many alphabets; mails as they come
"""Whole answers as the programs of many countries write them, and prose that only looks like a quotation."""

from __future__ import annotations

import pytest

from channels.mail.quotes import fresh_spans, fresh_words

WORDS = "Bonjour,\n\nmardi à 10 h me convient.\nMerci !"
THEIRS = "Pouvez-vous venir mardi ?\n\nLe cabinet"
MARKED = "> Pouvez-vous venir mardi ?\n>\n> Le cabinet"

# Which program, what it puts above what it quotes, and what is quoted.
ANSWERS = [
    pytest.param(
        '> Message du 05/03/26 10:12\n> De : "Cabinet Roux" <cabinet@roux.example>\n> A : nora@petit.example\n> Copie à : \n> Objet : Re: Rendez-vous\n>',
        MARKED,
        id="orange",
    ),
    pytest.param(
        "> message du 05/03/26 10:12\n> De : Cabinet Roux\n> A : Nora\n> Objet : RDV\n> ", MARKED, id="orange2"
    ),
    pytest.param(
        '========================================\nMessage du : 05/03/2026 10:12\nDe : "Cabinet Roux" <cabinet@roux.example>\nA : nora@petit.example\nCopie à : \nSujet : Re: Rendez-vous\n',
        THEIRS,
        id="sfr",
    ),
    pytest.param(
        '----- Mail original -----\nDe: "Cabinet Roux" <cabinet@roux.example>\nÀ: "Nora" <nora@petit.example>\nEnvoyé: Jeudi 5 Mars 2026 10:12:33\nObjet: Re: Rendez-vous\n',
        THEIRS,
        id="free",
    ),
    pytest.param(
        'De: "Cabinet Roux" <cabinet@roux.example>\nÀ: "Nora" <nora@petit.example>\nEnvoyé: Jeudi 5 Mars 2026 10:12:33\nObjet: Re: Rendez-vous\n',
        THEIRS,
        id="zimbra-line",
    ),
    pytest.param(
        "envoyé : 5 mars 2026 à 10:12\nde : Cabinet Roux <cabinet@roux.example>\nà : nora@petit.example\nobjet : Re: Rendez-vous\n",
        THEIRS,
        id="laposte",
    ),
    pytest.param(
        "-----Cabinet Roux <cabinet@roux.example> a écrit : -----\nA : Nora\nDe : Cabinet Roux\nDate : 05/03/2026 10:12\nObjet : Re: RDV\n",
        THEIRS,
        id="notes",
    ),
    pytest.param(
        '-----"Roux, Anne" <anne@roux.example> wrote: -----\nTo: Nora <n@petit.example>\nFrom: "Roux, Anne" <anne@roux.example>\nDate: 03/05/2026 10:12AM\nSubject: Re: visit\n',
        THEIRS,
        id="notes-en",
    ),
    pytest.param(
        "From:\tAnne Roux/FR/Roux\nTo:\tNora Petit <n@petit.example>\nDate:\t05/03/2026 10:12\nSubject:\tRe: visit\n",
        THEIRS,
        id="notes-tab",
    ),
    pytest.param(
        "Von:\tAnne Roux/DE/Roux\nAn:\tNora Petit <n@petit.example>\nDatum:\t05.03.2026 10:12\nBetreff:\tAW: Termin\n",
        THEIRS,
        id="notes-de",
    ),
    pytest.param(
        'Gesendet: Donnerstag, 5. März 2026 um 10:12 Uhr\nVon: "Praxis Roux" <praxis@roux.example>\nAn: nora@petit.example\nBetreff: Aw: Termin\n',
        THEIRS,
        id="gmx",
    ),
    pytest.param(
        'Gesendet: Donnerstag, 05. März 2026 um 10:12\nVon: praxis@roux.example\nAn: "Nora" <nora@petit.example>\nBetreff: Re: Termin\n',
        THEIRS,
        id="webde",
    ),
    pytest.param(
        "--- Ursprüngliche Nachricht ---\nVon: Praxis Roux\nDatum: 05.03.2026 10:12:33\nAn: nora@petit.example\nBetreff: Re: Termin\n",
        THEIRS,
        id="gmx2",
    ),
    pytest.param(
        '-----Original-Nachricht-----\nBetreff: Re: Termin\nDatum: 2026-03-05T10:12:33+0100\nVon: "Praxis" <praxis@roux.example>\nAn: "nora@petit.example" <nora@petit.example>\n',
        THEIRS,
        id="t-online",
    ),
    pytest.param(
        "-------- Message d'origine --------\nDe : Cabinet Roux <cabinet@roux.example>\nDate : 05/03/2026 10:12 (GMT+01:00)\nÀ : nora@petit.example\nObjet : RDV\n",
        THEIRS,
        id="samsung-fr",
    ),
    pytest.param(
        "-------- Ursprüngliche Nachricht --------\nVon: Praxis Roux <praxis@roux.example>\nDatum: 05.03.26 10:12 (GMT+01:00)\nAn: nora@petit.example\nBetreff: Termin\n",
        THEIRS,
        id="samsung-de",
    ),
    pytest.param(
        "-------- Messaggio originale --------\nDa: Studio Roux <s@roux.example>\nData: 05/03/26 10:12 (GMT+01:00)\nA: nora@petit.example\nOggetto: Visita\n",
        THEIRS,
        id="samsung-it",
    ),
    pytest.param(
        "-------- Message original --------\nSujet: Re: RDV\nDate: 2026-03-05 10:12\nDe: Cabinet Roux <cabinet@roux.example>\nÀ: nora@petit.example\n",
        THEIRS,
        id="tb-fr",
    ),
    pytest.param("Le 2026-03-05 10:12, Cabinet Roux a écrit :", MARKED, id="roundcube"),
    pytest.param("Am 2026-03-05 10:12, schrieb Praxis Roux:", MARKED, id="rc-de"),
    pytest.param(
        "Télécharger Outlook pour iOS<https://aka.ms/o0ukef>\n________________________________\nDe : Cabinet Roux <cabinet@roux.example>\nEnvoyé : Thursday, March 5, 2026 10:12:33 AM\nÀ : Nora <nora@petit.example>\nObjet : Re: RDV\n",
        THEIRS,
        id="outlook-mobile-fr",
    ),
    pytest.param(
        "________________________________\nDe : Cabinet Roux <cabinet@roux.example>\nEnvoyé : jeudi 5 mars 2026 10:12\nÀ : Nora <nora@petit.example>\nCc : x@y.example\nObjet : Re: RDV\n \n",
        THEIRS,
        id="outlook-com-fr",
    ),
    pytest.param(
        "De : Cabinet Roux <cabinet@roux.example>\nDate : jeudi, 5 mars 2026 à 10:12\nÀ : Nora <nora@petit.example>\nObjet : Re: RDV\n",
        THEIRS,
        id="outlook-mac",
    ),
    pytest.param(
        "De : Cabinet Roux <cabinet@roux.example>\nEnvoyé : jeudi 5 mars 2026 10:12\nÀ : Nora <nora@petit.example>; Paul Durand <paul@d.example>;\nAnne <anne@e.example>; Jean <jean@f.example>\nCc : Z <z@z.example>\nObjet : Re: RDV\n",
        THEIRS,
        id="outlook-long-to",
    ),
    pytest.param(
        "De : Cabinet\nEnvoyé : jeudi 5 mars 2026 10:12\nÀ : Nora\nObjet : Re: RDV\nImportance : Haute\n",
        THEIRS,
        id="outlook-importance",
    ),
    pytest.param(
        "De : Cabinet\nEnvoyé : jeudi 5 mars 2026 10:12\nÀ : Nora\nObjet : Re: RDV\nPièces jointes : plan.pdf\n",
        THEIRS,
        id="outlook-pj",
    ),
    pytest.param(
        "From: Anne Roux <anne@roux.example> Sent: Thursday, March 5, 2026 10:12 AM To: Nora Subject: RE: Visit\n",
        THEIRS,
        id="outlook-one-line",
    ),
    pytest.param("Le 5 mars 2026 à 10:12, Cabinet Roux <cabinet@roux.example> a écrit :\n", MARKED, id="apple-fr"),
    pytest.param(
        "> Le 5 mars 2026 à 10:12, Cabinet Roux <cabinet@roux.example> a écrit :\n> \n> \ufeff",
        MARKED,
        id="apple-ios-zwsp",
    ),
    pytest.param(
        "Le 5 mars 2026 à 10:12, Cabinet Roux\n<cabinet@roux.example>\na écrit :\n", MARKED, id="apple-fwd-less"
    ),
    pytest.param(
        "On Thu, Mar 5, 2026 at 10:12 AM Anne Roux via A Very Long Mailing List\nName That Wraps <\nanne-list-notifications@groups.roux.example>\nwrote:\n",
        MARKED,
        id="4lines",
    ),
    pytest.param(
        "Le jeudi 5 mars 2026 à 10:12, Cabinet Roux <cabinet@roux.example> a écrit :\n\n", MARKED, id="proton-fr"
    ),
    pytest.param(
        "Envoyé avec la messagerie sécurisée [Proton Mail](https://proton.me/).\n\n------- Original Message -------\nOn Thursday, March 5th, 2026 at 10:12 AM, Anne <a@r.example> wrote:\n",
        MARKED,
        id="proton-sig",
    ),
    pytest.param(
        "Le jeudi 5 mars 2026 à 10:12:33 UTC+1, Cabinet Roux <cabinet@roux.example> a écrit : \n\n",
        THEIRS,
        id="yahoo-fr",
    ),
    pytest.param(
        "Envoyé à partir de Yahoo Mail pour Android \n \n  Le jeu., mars 5, 2026 à 10:12, Cabinet Roux<cabinet@roux.example> a écrit :   ",
        THEIRS,
        id="yahoo-mobile",
    ),
    pytest.param(
        "In a message dated 3/5/2026 10:12:33 AM Central European Standard Time, anne@roux.example writes:\n",
        THEIRS,
        id="aol",
    ),
    pytest.param("Четверг, 5 марта 2026, 10:12 +03:00 от Anna Roux <anna@roux.example>:\n", MARKED, id="mailru"),
    pytest.param('05.03.2026, 10:12, "Anna Roux" <anna@roux.example>:\n', MARKED, id="yandex"),
    pytest.param('05.03.2026, 10:12, "Anna Roux" <anna@roux.example>:\n', THEIRS, id="yandex2"),
    pytest.param(
        '------------------ 原始邮件 ------------------\n发件人: "Anna" <anna@roux.example>;\n发送时间: 2026年3月5日(星期四) 上午10:12\n收件人: "Nora"<nora@petit.example>;\n主题: Re: 预约\n',
        THEIRS,
        id="qq",
    ),
    pytest.param(
        '------------------&nbsp;原始邮件&nbsp;------------------\n发件人: "Anna" <anna@roux.example>;\n发送时间:&nbsp;2026年3月5日(星期四) 上午10:12\n收件人:&nbsp;"Nora"<nora@petit.example>;\n\n主题:&nbsp;Re: 预约\n',
        THEIRS,
        id="qq-modern",
    ),
    pytest.param('At 2026-03-05 10:12:33, "Anna Roux" <anna@roux.example> wrote:\n', THEIRS, id="163"),
    pytest.param('在 2026-03-05 10:12:33，"Anna Roux" <anna@roux.example> 写道：\n', THEIRS, id="163zh"),
    pytest.param("发件人： Anna\n发送时间： 2026-03-05 10:12\n收件人： Nora\n主题： Re: 预约\n", THEIRS, id="foxmail"),
    pytest.param(
        '-----Original Message-----\nFrom: "Anna"<anna@roux.example>\nTo: <nora@petit.example>;\nCc:\nSent: 2026-03-05 (목) 10:12:33 (GMT+09:00)\nSubject: Re: 예약\n',
        THEIRS,
        id="naver",
    ),
    pytest.param(
        "________________________________\n差出人: ルー <r@roux.example>\n送信日時: 2026年3月5日 10:12\n宛先: ノラ <n@petit.example>\n件名: Re: 予約\n",
        THEIRS,
        id="ja-outlook",
    ),
    pytest.param(
        "2026年3月5日(木) 10:12、ルー診療所さん（clinic@roux.example）のメッセージ：\n", MARKED, id="ja-gmail2"
    ),
    pytest.param("On 2026/03/05 10:12, ルー wrote:\n", MARKED, id="ja-tb"),
    pytest.param(
        "寄件者: Anna <anna@roux.example>\n寄件日期: 2026年3月5日 上午 10:12\n收件者: Nora\n主旨: 回覆: 預約\n",
        THEIRS,
        id="zhtw-outlook",
    ),
    pytest.param(
        "보낸 사람: 루 <r@roux.example>\n보낸 날짜: 2026년 3월 5일 목요일 오전 10:12\n받는 사람: 노라\n제목: RE: 예약\n",
        THEIRS,
        id="ko-outlook",
    ),
    pytest.param("čet, 5. ožu 2026. u 10:12 Ordinacija Roux <o@roux.example> napisao je:\n", MARKED, id="hr"),
    pytest.param(
        "Šalje: Ordinacija Roux\nPoslano: 5. ožujka 2026. 10:12\nPrima: Nora\nPredmet: Re: Termin\n",
        THEIRS,
        id="hr-outlook",
    ),
    pytest.param("чет, 5. мар 2026. у 10:12 Ordinacija Roux <o@roux.example> је написао/ла:\n", MARKED, id="sr"),
    pytest.param(
        "V V čet., 5. mar. 2026 ob 10:12 je oseba Ambulanta Roux <o@roux.example> napisala:\n", MARKED, id="sl"
    ),
    pytest.param("На чт, 5.03.2026 г. в 10:12 ч. Кабинет Ру <c@roux.example> написа:\n", MARKED, id="bg"),
    pytest.param("2026-03-05, kt, 10:12 Kabinetas Roux <c@roux.example> rašė:\n", MARKED, id="lt"),
    pytest.param(
        "ceturtd., 2026. g. 5. marts, plkst. 10:12 — lietotājs Kabinets (<c@roux.example>) rakstīja:\n", MARKED, id="lv"
    ),
    pytest.param("Kuupäev N, 5. märts 2026 kell 10:12 kirjutas Kabinet Roux <c@roux.example>:\n", MARKED, id="et"),
    pytest.param("Þann fim., 5. mars 2026 kl. 10:12 skrifaði Stofa Roux <c@roux.example>:\n", MARKED, id="is"),
    pytest.param("Vào Th 5, 5 thg 3, 2026 vào lúc 10:12 Phòng khám <c@roux.example> đã viết:\n", MARKED, id="vi"),
    pytest.param("Pada tanggal Kam, 5 Mar 2026 pukul 10.12 Klinik Roux <c@roux.example> menulis:\n", MARKED, id="id"),
    pytest.param("ในวันที่ พฤ. 5 มี.ค. 2026 เวลา 10:12 คลินิก <c@roux.example> เขียนว่า:\n", MARKED, id="th"),
    pytest.param(
        "في الخميس، 5 مارس 2026 في 10:12 ص تمت كتابة ما يلي بواسطة عيادة <c@roux.example>:\n", MARKED, id="ar"
    ),
    pytest.param(
        "\u202b\u202aבתאריך יום ה׳, 5 במרץ 2026 ב-10:12 מאת \u202aמרפאה\u202c\u200f <\u202ac@roux.example\u202c\u200f>:\u202c\n",
        MARKED,
        id="he",
    ),
    pytest.param("در تاریخ پنجشنبه ۵ مارس ۲۰۲۶،\u200f ۱۰:۱۲ کلینیک <c@roux.example> نوشت:\n", MARKED, id="fa"),
    pytest.param(
        "Missatge de Consulta Roux <c@roux.example> del dia dj., 5 de març 2026 a les 10:12:\n", MARKED, id="ca"
    ),
    pytest.param(
        "Honela idatzi du Roux (c@roux.example) erabiltzaileak (2026 mar. 5, og. (10:12)):\n", MARKED, id="eu"
    ),
    pytest.param("O xov, 5 mar 2026 ás 10:12, Roux (<c@roux.example>) escribiu:\n", MARKED, id="gl"),
    pytest.param("Roux <c@roux.example> escreveu (quinta, 5/03/2026 à(s) 10:12):\n", MARKED, id="pt-pt"),
    pytest.param("Em 05/03/2026 10:12, Clínica Roux escreveu:\n", MARKED, id="pt-br-tb"),
    pytest.param("El 5 mar 2026, a las 10:12, Consulta Roux <c@roux.example> escribió:\n", MARKED, id="es-apple"),
    pytest.param(
        "Il giorno 5 mar 2026, alle ore 10:12, Studio Roux <c@roux.example> ha scritto:\n", MARKED, id="it-apple"
    ),
    pytest.param("Il 05/03/2026 10:12 CET Studio Roux <c@roux.example> ha scritto:\n \n", THEIRS, id="it-libero"),
    pytest.param(
        "Op 5 mrt 2026 om 10:12 heeft Roux <c@roux.example> het volgende geschreven:\n\n", MARKED, id="nl-apple"
    ),
    pytest.param("Op 05-03-2026 om 10:12 schreef Praktijk Roux:\n", MARKED, id="nl-tb"),
    pytest.param("Den 5. mar. 2026 kl. 10.12 skrev Klinik <c@roux.example>:\n", MARKED, id="da-apple"),
    pytest.param("5 mars 2026 kl. 10:12 skrev Mottagning Roux <c@roux.example>:\n", MARKED, id="sv-apple"),
    pytest.param(
        "Lähettäjä: Vastaanotto <v@roux.example>\nLähetetty: torstai 5. maaliskuuta 2026 10:12\nVastaanottaja: Nora\nKopio: x@y.example\nAihe: VS: Käynti\n",
        THEIRS,
        id="fi-outlook",
    ),
    pytest.param("W dniu 5.03.2026 o 10:12, Gabinet Roux pisze:\n", MARKED, id="pl-tb"),
    pytest.param("Dnia 5 marca 2026 10:12 Gabinet Roux <g@roux.example> napisał(a):\n", MARKED, id="pl-onet"),
    pytest.param(
        "---------- Původní e-mail ----------\nOd: Ordinace <o@roux.example>\nKomu: nora@petit.example\nDatum: 5. 3. 2026 10:12:33\nPředmět: Re: Termín\n",
        MARKED,
        id="cs-seznam",
    ),
    pytest.param("Dne 05. 03. 26 v 10:12 Ordinace Roux napsal(a):\n", MARKED, id="cs-tb"),
    pytest.param("2026. 03. 05. 10:12 keltezéssel, Rendelő írta:\n", MARKED, id="hu-tb"),
    pytest.param(
        "De la: Cabinet <c@roux.example>\nTrimis: joi, 5 martie 2026 10:12\nCătre: Nora\nSubiect: RE: Programare\n",
        THEIRS,
        id="ro-outlook",
    ),
    pytest.param(
        "Από: Ιατρείο <c@roux.example>\nΣτάλθηκε: Πέμπτη, 5 Μαρτίου 2026 10:12\nΠρος: Nora\nΘέμα: Απ: Ραντεβού\n",
        THEIRS,
        id="el-outlook",
    ),
    pytest.param(
        "Kimden: Muayenehane <c@roux.example>\nGönderildi: 5 Mart 2026 Perşembe 10:12\nKime: Nora\nKonu: Ynt: Randevu\n",
        THEIRS,
        id="tr-outlook",
    ),
    pytest.param(
        "Frá: Stofa <c@roux.example>\nSent: fimmtudagur, 5. mars 2026 10:12\nTil: Nora <n@petit.example>\nEfni: Re: Tími\n",
        THEIRS,
        id="unknown-lang",
    ),
    pytest.param(
        "Kutoka: Kliniki <c@roux.example>\nImetumwa: Alhamisi, 5 Machi 2026 10:12\nKwa: Nora <n@petit.example>\nMada: Re: Miadi\n",
        THEIRS,
        id="sw",
    ),
    pytest.param("##- Répondez au-dessus de cette ligne -##\n", THEIRS, id="above-line"),
    pytest.param("--- Please reply above this line ---\n", THEIRS, id="above-line-en"),
    pytest.param("--\nEnvoyé avec Tuta\n\n5 mars 2026, 10:12 de cabinet@roux.example:\n", MARKED, id="tutanota"),
    pytest.param("On Mar 5, 2026 at 10:12 +0100, Cabinet Roux <c@roux.example>, wrote:\n", MARKED, id="spark"),
    pytest.param("On March 5, 2026 at 10:12:33 AM, Cabinet Roux (c@roux.example) wrote:\n", MARKED, id="missive"),
    pytest.param("Cabinet Roux wrote:\n", MARKED, id="exmh"),
    pytest.param("Cabinet Roux a écrit :\n", MARKED, id="exmh2"),
    pytest.param("Le 5 mars 2026 à 10:12, Cabinet Roux <c@roux.example> a écrit :\n", MARKED, id="pgp"),
    pytest.param(
        "-- \nNora Petit\n01 99 00 00 00\n\nLe 5 mars 2026 à 10:12, Cabinet Roux <c@roux.example> a écrit :\n",
        MARKED,
        id="sig-then-quote",
    ),
    pytest.param("— Le 5 mars 2026 à 10:12, Cabinet Roux a écrit —\n", MARKED, id="date-name-emdash"),
]

ENTIRE = [
    pytest.param(
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !\n\nAm 5. März 2026 10:12:33 MEZ schrieb Praxis Roux <p@roux.example>:\n>Pouvez-vous venir mardi ?\n>\n>Le cabinet\n",
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !",
        id="rc-de2",
    ),
    pytest.param(
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !\n\nLe 5 mars 2026 à 10:12, Cabinet Roux <c@roux.example> a écrit :\n\n| Pouvez-vous venir ?\n|\n| Le cabinet\n",
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !",
        id="pipe",
    ),
    pytest.param(
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !\n\nLe 5 mars 2026 à 10:12, Cabinet Roux <c@roux.example> a écrit :\n\n> Pouvez-vous venir mardi prochain à la même heure que la semaine dernière, ou\nbien mercredi ?\n> Merci\n",
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !",
        id="wrapped-quote",
    ),
    pytest.param(
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !\n\nLe 5 mars 2026 à 10:12, Cabinet Roux <c@roux.example> a écrit :\n\n> Pouvez-vous venir mardi ?\n>\n> Le cabinet\n\n-- \nNora Petit\n01 99 00 00 00\n",
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !",
        id="quote-then-sig",
    ),
    pytest.param(
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nBonjour,\n\nmardi à 10 h me convient.\nMerci !\n-----BEGIN PGP SIGNATURE-----\n\niQEzBAEBCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n",
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !",
        id="pgp2",
    ),
    pytest.param(
        "Le 5 mars 2026 à 10:12, Cabinet Roux <c@roux.example> a écrit :\n> Pouvez-vous venir mardi ?\n>\n> Le cabinet\n\nBonjour,\n\nmardi à 10 h me convient.\nMerci !\n",
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !",
        id="bottom",
    ),
    pytest.param(
        "Le 5 mars 2026 à 10:12, Cabinet Roux <c@roux.example> a écrit :\n\n> Pouvez-vous venir mardi ?\n>\n> Le cabinet\n\nBonjour,\n\nmardi à 10 h me convient.\nMerci !\n\n-- \nNora\n",
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !",
        id="bottom-gap",
    ),
    pytest.param(
        "> Le 5 mars 2026 à 10:12, Cabinet Roux <c@roux.example> a écrit :\n>\n> Pouvez-vous venir mardi ?\n>\n> Le cabinet\n\nBonjour,\n\nmardi à 10 h me convient.\nMerci !\n",
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !",
        id="apple-bottom",
    ),
    pytest.param(
        "-----Message d'origine-----\nDe : x\nEnvoyé : 5 mars 2026\nÀ : y\nObjet : z\n\n> Pouvez-vous venir mardi ?\n>\n> Le cabinet\n\nBonjour,\n\nmardi à 10 h me convient.\nMerci !\n",
        "Bonjour,\n\nmardi à 10 h me convient.\nMerci !",
        id="orig-bottom",
    ),
    pytest.param(
        "Bonjour,\n\nLe 5 mars 2026 à 10:12, Cabinet Roux <c@roux.example> a écrit :\n> Pouvez-vous venir mardi ?\n>\n> Le cabinet\n\nOui, mardi me va.\n",
        "Bonjour,\n\nOui, mardi me va.",
        id="greet-bottom",
    ),
    pytest.param(
        "Le 5 mars 2026 à 10:12, Cabinet Roux <c@roux.example> a écrit :\n> Quel jour ?\nMardi.\n> Quelle heure ?\n10 h.\n",
        "> Quel jour ?\nMardi.\n> Quelle heure ?\n10 h.",
        id="inter1",
    ),
    pytest.param(
        "Bonjour,\nLe 5 mars 2026 à 10:12, Cabinet Roux <c@roux.example> a écrit :\n> Quel jour ?\n\nMardi.\n\n> Quelle heure ?\n\n10 h.\n\n> Le cabinet\n",
        "Bonjour,\n> Quel jour ?\n\nMardi.\n\n> Quelle heure ?\n\n10 h.",
        id="inter2",
    ),
    pytest.param(
        "Bonjour, voir mes réponses dans votre texte ci-dessous.\n\nDe : Cabinet\nEnvoyé : 5 mars 2026\nÀ : Nora\nObjet : RDV\n\n> Quel jour ?\n\nMardi.\n\n> Quelle heure ?\n\n10 h.\n",
        "Bonjour, voir mes réponses dans votre texte ci-dessous.\n\n> Quel jour ?\n\nMardi.\n\n> Quelle heure ?\n\n10 h.",
        id="inter-outlook",
    ),
]

PROSE = [
    pytest.param(
        "Madame,\n\nle 5 mars 2026 à 10:12, Mme Petit m'a écrit ceci :\nje ne viendrai pas.\n\nQue faire ?", id="date"
    ),
    pytest.param(
        "Bonjour,\nVoici mes disponibilités le 5 mars 2026 à 10:30 :\n- avant midi\n- après 14 h\nMerci", id="date2"
    ),
    pytest.param(
        "Merci d'écrire avant le 5 mars 2026 à 12:00 à cette adresse <n@petit.example> :\nservice comptable.\nÀ bientôt",
        id="mail",
    ),
    pytest.param(
        "Bonjour,\n\nNom : Petit\nDate : 5 mars 2026\nObjet : devis\nTéléphone : 01 99 00 00 00\n\nMerci de me rappeler.",
        id="form",
    ),
    pytest.param(
        "Trajet demandé :\nDe : Lyon\nÀ : Paris\nDate : 5 mars 2026 à 10:12\nMerci de réserver deux places.",
        id="form-from",
    ),
    pytest.param("Please book:\n\nFrom: Lyon\nTo: Paris\nDate: March 5, 2026\n\nTwo seats, thanks.", id="form-en"),
    pytest.param(
        "Nouveau message du site\n\nDe : Nora Petit <nora@petit.example>\nTéléphone : 01 99 00 00 00\nSujet : Devis\n\nBonjour, je voudrais un devis.",
        id="webform",
    ),
    pytest.param(
        "Bonjour,\n\nPremière partie.\n\n-----\n\nSeconde partie, voir https://petit.example/plan pour le plan.\n\nNora",
        id="sep",
    ),
    pytest.param("Ordre du jour\n=============\n\n1. Budget, voir www.petit.example\n2. Divers\n", id="sep2"),
    pytest.param(
        "Section A\n_______\nTexte de la section A que je vous ai promis.\n\nSection B\n_______\nTexte de la section B.",
        id="sep3",
    ),
    pytest.param(
        "Bonjour\n--\nje reviens vers vous au sujet du dossier.\n\nPouvez-vous me rappeler demain au sujet de la facture 12 ? C'est urgent, nous devons payer avant vendredi et je n'ai pas reçu le document.",
        id="dash",
    ),
    pytest.param("Je propose :\n-Lundi\n-Mardi\n-Mercredi", id="list"),
    pytest.param(
        "Envoyé de mon bureau hier, le téléphone portable ne marchait pas.\nPouvez-vous confirmer ?", id="sent"
    ),
    pytest.param("Envoyé mon téléphone en réparation, appelez-moi au fixe.", id="sent2"),
    pytest.param("Gesendet habe ich das Telefon gestern, bitte bestätigen.", id="sent3"),
    pytest.param("Envoyez-moi un mail ou appelez mon mobile", id="phone"),
    pytest.param("Sent the phone back yesterday.", id="phone2"),
    pytest.param("Réponse à votre question :\noui, le 5 mars 2026.\nobjet : devis", id="reply-to"),
    pytest.param("Mon père a écrit :\n\nje suis d'accord.\n\nVoilà.", id="wrote"),
    pytest.param("Le docteur a écrit le 5 mars 2026 : repos complet.\nJe viendrai donc plus tard.", id="wrote2"),
    pytest.param("As I wrote on 5 March 2026:\nthe invoice is wrong.\nPlease correct it.", id="wrote3"),
    pytest.param("Comme convenu le 5 mars à 10h30, il m'a écrit\net j'ai répondu que oui.\nCordialement", id="wrote4"),
    pytest.param("Je cherche un taux\n> 5 % par an\nEt vous ?", id="gt"),
    pytest.param("Chapitre 1\n\n> Une citation que j'aime\n\nEt mon commentaire.", id="thread"),
    pytest.param("On 5 March I will come at 10:12 with my mother\nand the dog <3\nSee you:", id="on"),
    pytest.param("Prix 2025 : 10 €\nPrix 2026 : 12 €\nTotal : 22 €", id="price"),
    pytest.param(
        "De: lundi 9h\nA: vendredi 18h\nObjet: vacances\nDate: du 5 au 10 mars\n\nJe serai absente.", id="de-a"
    ),
]


def trimmed(text: str) -> str:
    return fresh_words(text, fresh_spans(text))


@pytest.mark.parametrize(("head", "quoted"), ANSWERS)
def test_an_answer_above_what_a_program_quotes_is_found(head: str, quoted: str) -> None:
    assert trimmed(f"{WORDS}\n\n{head}\n{quoted}\n") == WORDS


@pytest.mark.parametrize(("text", "words"), ENTIRE)
def test_the_words_of_an_answer_are_found_wherever_they_stand(text: str, words: str) -> None:
    assert trimmed(text) == words


@pytest.mark.parametrize("text", PROSE)
def test_prose_stays_whole(text: str) -> None:
    assert trimmed(text) == text.strip()


def test_a_signature_counts_as_its_authors_where_that_is_asked() -> None:
    text = f"{WORDS}\n\n-- \nNora Petit\n\nEnvoyé de mon iPhone\n\nLe 5 mars 2026 à 10:12, Cabinet Roux a écrit :\n{MARKED}\n"
    assert (
        fresh_words(text, fresh_spans(text, with_signature=True))
        == f"{WORDS}\n\n-- \nNora Petit\n\nEnvoyé de mon iPhone"
    )
