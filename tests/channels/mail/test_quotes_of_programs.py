# ruff: noqa: RUF001, E501  # words of many alphabets; mails as they come
"""Whole answers as the programs of many countries write them, and prose that only looks like a quotation."""

from __future__ import annotations

import time

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
        "Nous retenons 11 heures.\n\n*****\nCe courriel peut contenir des informations couvertes par le secret professionnel.\n*****\n\n-----Message d'origine-----\nDe : Nora <nora@petit.example>\nEnvoyé : samedi 10 mai 2025 19:46\nObjet : Avance\n\nMaître,\n",
        "Nous retenons 11 heures.",
        id="ruled-secret",
    ),
    pytest.param("C'est fait\n\nObtenez Outlook pour iOS\n", "C'est fait", id="outlook-obtenez"),
    pytest.param("Je le prends.\n\n\u2063Télécharger BlueMail pour Android\u200b\n", "Je le prends.", id="bluemail"),
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
    pytest.param(
        "Hi Anna,\n\nSounds good, see you then.\n\nBest,\nPaul\n\nOn Tue, Apr 7, 2026 at 9:03 AM Anna <anna@desk.example> wrote:\n\n> Tuesday?\n",
        "Hi Anna,\n\nSounds good, see you then.\n\nBest,\nPaul",
        id="en-sign",
    ),
    pytest.param(
        "Ok\n\nSent from Mail for Windows\n\nFrom: Anna\nSent: 07 April 2026 09:03\nTo: Paul\nSubject: RE: Visit\n\nTuesday?\n",
        "Ok",
        id="en-sent-before",
    ),
    pytest.param(
        "Ok\n\nSent from Mail<https://go.microsoft.com/fwlink/?LinkId=550986> for Windows 10\n\nFrom: Anna<mailto:anna@desk.example>\nSent: 07 April 2026 09:03\nTo: Paul<mailto:p@p.example>\nSubject: RE: Visit\n\nTuesday?\n",
        "Ok",
        id="en-sent-link",
    ),
    pytest.param(
        "Sure!\n\nYahoo Mail: Search, Organize, Conquer \n \n  On Tue, Apr 7, 2026 at 9:03, Anna<anna@desk.example> wrote:   Tuesday?\n",
        "Sure!",
        id="yahoo-conq",
    ),
    pytest.param(
        "Sure!\n\nSent from Yahoo Mail on Android \n \n  On Tue, Apr 7, 2026 at 9:03 AM, Anna<anna@desk.example> wrote:   Tuesday?\n",
        "Sure!",
        id="yahoo-sentfrom",
    ),
    pytest.param(
        "D'accord\n\nEnvoyé à partir de Yahoo Mail pour iPhone\n\nLe mardi, avril 7, 2026, 9:03 AM, Anna <anna@desk.example> a écrit :\n\nMardi ?\n",
        "D'accord",
        id="fr-yahoo-iphone",
    ),
    pytest.param(
        "D'accord\n\nObtenir Outlook pour Android<https://aka.ms/AAb9ysg>\n________________________________\nFrom: Anna <anna@desk.example>\nSent: Tuesday, April 7, 2026 9:03:11 AM\nTo: Paul <p@p.example>\nSubject: Re: Rdv\n\nMardi ?\n",
        "D'accord",
        id="fr-outlook-android",
    ),
    pytest.param(
        "D'accord\n\n\n\nEnvoyé de mon appareil Android avec K-9 Mail. Veuillez excuser ma brièveté.\n\nLe 7 avril 2026 09:03:11 GMT+02:00, Anna <anna@desk.example> a écrit :\n>Mardi ?\n",
        "D'accord",
        id="fr-envoye-android",
    ),
    pytest.param(
        "D'accord\n\n\nEnvoyé depuis mon smartphone Samsung Galaxy.\n\n-------- Message d'origine --------\nDe : Anna <anna@desk.example>\nDate : 07/04/2026 09:03 (GMT+01:00)\nÀ : p@p.example\nObjet : Rdv\n\nMardi ?\n",
        "D'accord",
        id="fr-samsung",
    ),
    pytest.param("D'accord\n\nEnvoyé depuis mon mobile Bouygues Telecom\n", "D'accord", id="fr-bouygues"),
    pytest.param("D'accord\n\nEnvoyé de mon mobile SFR\n", "D'accord", id="fr-sfr-mobile"),
    pytest.param("D'accord\n\nEnvoyé avec Unibox\n", "D'accord\n\nEnvoyé avec Unibox", id="fr-free"),
    pytest.param(
        "D'accord\n\nEnvoyé de mon téléphone HUAWEI\n-------- Courriel original --------\nSujet : Rdv\nDe : Anna \nÀ : p@p.example\nCc : \n\n\nMardi ?\n",
        "D'accord",
        id="fr-huawei",
    ),
    pytest.param(
        "D'accord\n\n--\nCet e-mail a été vérifié par le logiciel antivirus d'Avast.\nwww.avast.com\n",
        "D'accord",
        id="fr-avast",
    ),
    pytest.param(
        "D'accord\n\n---\nL'absence de virus dans ce courrier électronique a été vérifiée par le logiciel antivirus Avast.\nhttps://www.avast.com/antivirus\n",
        "D'accord",
        id="fr-avast2",
    ),
    pytest.param(
        "Einverstanden\n\n---\nDiese E-Mail wurde von Avast Antivirus-Software auf Viren geprüft.\nhttps://www.avast.com/antivirus\n",
        "Einverstanden",
        id="de-avast",
    ),
    pytest.param(
        "Einverstanden\n\nOutlook für iOS<https://aka.ms/o0ukef> beziehen\n________________________________\nVon: Anna <anna@desk.example>\nGesendet: Dienstag, April 7, 2026 9:03:11 AM\nAn: Paul <p@p.example>\nBetreff: AW: Termin\n\nDienstag?\n",
        "Einverstanden",
        id="de-outlook-ios",
    ),
    pytest.param(
        "Einverstanden\n\nHolen Sie sich Outlook für Android<https://aka.ms/AAb9ysg>\n", "Einverstanden", id="de-holen"
    ),
    pytest.param(
        "Einverstanden\n\nGesendet mit der Telekom Mail App\n\n-----Original-Nachricht-----\nBetreff: Termin\nDatum: 07.04.2026, 09:03 Uhr\nVon: Anna <anna@desk.example>\nAn: p@p.example\n\nDienstag?\n",
        "Einverstanden",
        id="de-telekom",
    ),
    pytest.param(
        "Einverstanden\n\n-- \nDiese Nachricht wurde von meinem Android Mobiltelefon mit WEB.DE Mail gesendet.\nAm 07.04.26, 09:03 schrieb Anna <anna@desk.example>:\n\nDienstag?\n",
        "Einverstanden",
        id="de-webde",
    ),
    pytest.param(
        'Einverstanden\n \n \n\nGesendet: Dienstag, 07. April 2026 um 09:03 Uhr\nVon: "Anna" <anna@desk.example>\nAn: p@p.example\nBetreff: Termin\nDienstag?\n',
        "Einverstanden",
        id="de-web-webde",
    ),
    pytest.param(
        "Einverstanden\n\nVon meinem iPhone gesendet\n\n> Am 07.04.2026 um 09:03 schrieb Anna <anna@desk.example>:\n> \n> \ufeffDienstag?\n",
        "Einverstanden",
        id="de-apple",
    ),
    pytest.param(
        "Einverstanden\n\nAm 07.04.26 um 09:03 schrieb Anna via Praxis:\n> Dienstag?\n", "Einverstanden", id="de-tb"
    ),
    pytest.param(
        "Einverstanden\n\nAnna <anna@desk.example> schrieb am Di., 7. Apr. 2026, 09:03:\n\n> Dienstag?\n",
        "Einverstanden",
        id="de-gmail",
    ),
    pytest.param(
        "Va bene\n\nInviato da iPhone\n\n> Il giorno 7 apr 2026, alle ore 09:03, Anna <anna@desk.example> ha scritto:\n> \n> Martedì?\n",
        "Va bene",
        id="it-iphone",
    ),
    pytest.param(
        "Va bene\n\nInviato da Libero Mail per Android\n\nIl mar, 7 apr, 2026 alle 9:03, Anna <anna@desk.example> ha scritto:\nMartedì?\n",
        "Va bene",
        id="it-libero",
    ),
    pytest.param(
        "Va bene\n\nOttieni Outlook per iOS<https://aka.ms/o0ukef>\n________________________________\nDa: Anna <anna@desk.example>\nInviato: martedì 7 aprile 2026 09:03\nA: Paul <p@p.example>\nOggetto: R: Visita\n\nMartedì?\n",
        "Va bene",
        id="it-outlook",
    ),
    pytest.param(
        "Va bene\n\n-----Messaggio originale-----\nDa: Anna [mailto:anna@desk.example] \nInviato: martedì 7 aprile 2026 09:03\nA: Paul\nOggetto: Visita\nPriorità: Alta\n\nMartedì?\n",
        "Va bene",
        id="it-pec",
    ),
    pytest.param(
        "Vale\n\nEnviado desde mi dispositivo Samsung de Movistar\n\n-------- Mensaje original --------\nDe: Anna <anna@desk.example>\nFecha: 7/4/26 9:03 (GMT+01:00)\nA: p@p.example\nAsunto: Cita\n\n¿Martes?\n",
        "Vale",
        id="es-android",
    ),
    pytest.param(
        "Vale\n\nObtener Outlook para iOS<https://aka.ms/o0ukef>\n________________________________\nDe: Anna <anna@desk.example>\nEnviado: martes, abril 7, 2026 9:03 a. m.\nPara: Paul <p@p.example>\nAsunto: Re: Cita\n\n¿Martes?\n",
        "Vale",
        id="es-outlook",
    ),
    pytest.param(
        "Vale\n\nEnviado desde Correo para Windows\n\nDe: Anna\nEnviado: martes, 7 de abril de 2026 9:03\nPara: Paul\nAsunto: RE: Cita\n\n¿Martes?\n",
        "Vale",
        id="es-correo",
    ),
    pytest.param(
        "Vale\n\nEl mar, 7 abr 2026 a la(s) 09:03, Anna (anna@desk.example) escribió:\n\n> ¿Martes?\n",
        "Vale",
        id="es-gmail",
    ),
    pytest.param(
        "Certo\n\nObter o Outlook para Android<https://aka.ms/AAb9ysg>\n________________________________\nDe: Anna <anna@desk.example>\nEnviado: terça-feira, 7 de abril de 2026 09:03\nPara: Paul <p@p.example>\nAssunto: Re: Consulta\n\nTerça?\n",
        "Certo",
        id="pt-android",
    ),
    pytest.param(
        "Certo\n\nEnviado do meu iPhone\n\n> Em 7 de abr. de 2026, à(s) 09:03, Anna <anna@desk.example> escreveu:\n> \n> Terça?\n",
        "Certo",
        id="pt-apple",
    ),
    pytest.param(
        "Certo\n\nNo dia 07/04/2026, às 09:03, Anna <anna@desk.example> escreveu:\n\nTerça?\n", "Certo", id="pt-apple2"
    ),
    pytest.param(
        "Prima\n\nOutlook voor iOS<https://aka.ms/o0ukef> downloaden\n________________________________\nVan: Anna <anna@desk.example>\nVerzonden: dinsdag 7 april 2026 09:03\nAan: Paul <p@p.example>\nOnderwerp: Re: Afspraak\n\nDinsdag?\n",
        "Prima",
        id="nl-outlook",
    ),
    pytest.param(
        "Prima\n\nVerstuurd vanaf mijn Samsung Galaxy-smartphone.\n\n-------- Oorspronkelijk bericht --------\nVan: Anna <anna@desk.example>\nDatum: 07-04-2026 09:03 (GMT+01:00)\nAan: p@p.example\nOnderwerp: Afspraak\n\nDinsdag?\n",
        "Prima",
        id="nl-ziggo",
    ),
    pytest.param(
        "Prima\n\nOp di 7 apr 2026 om 09:03 schreef Anna <anna@desk.example>\n:\n\n> Dinsdag?\n", "Prima", id="nl-gmail"
    ),
    pytest.param(
        "Bra\n\nSkaffa Outlook för iOS<https://aka.ms/o0ukef>\n________________________________\nFrån: Anna <anna@desk.example>\nSkickat: Tuesday, April 7, 2026 9:03:11 AM\nTill: Paul <p@p.example>\nÄmne: SV: Besök\n\nTisdag?\n",
        "Bra",
        id="sv-outlook",
    ),
    pytest.param(
        "Bra\n\nSkickat från min iPad\n\n> 7 apr. 2026 kl. 09:03 skrev Anna <anna@desk.example>:\n> \n> Tisdag?\n",
        "Bra",
        id="sv-ipad",
    ),
    pytest.param(
        "Fint\n\nHent Outlook til iOS<https://aka.ms/o0ukef>\n________________________________\nFra: Anna <anna@desk.example>\nSendt: tirsdag den 7. april 2026 09:03\nTil: Paul <p@p.example>\nEmne: SV: Besøg\n\nTirsdag?\n",
        "Fint",
        id="da-outlook",
    ),
    pytest.param(
        "Fint\n\nSkaff deg Outlook for iOS<https://aka.ms/o0ukef>\n________________________________\nFra: Anna <anna@desk.example>\nSendt: tirsdag 7. april 2026 09:03\nTil: Paul <p@p.example>\nEmne: SV: Besøk\n\nTirsdag?\n",
        "Fint",
        id="no-outlook",
    ),
    pytest.param(
        "Fint\n\ntir. 7. apr. 2026 kl. 09:03 skrev Anna <anna@desk.example>:\n\n> Tirsdag?\n", "Fint", id="no-gmail"
    ),
    pytest.param(
        "Hyvä\n\nHanki Outlook for iOS<https://aka.ms/o0ukef>\n________________________________\nLähettäjä: Anna <anna@desk.example>\nLähetetty: tiistaina, huhtikuuta 7, 2026 9:03 ap.\nVastaanottaja: Paul <p@p.example>\nAihe: VS: Käynti\n\nTiistai?\n",
        "Hyvä",
        id="fi-outlook",
    ),
    pytest.param(
        "Hyvä\n\nLähetetty iPhonesta\n\n> Anna <anna@desk.example> kirjoitti 7.4.2026 kello 9.03:\n> \n> Tiistai?\n",
        "Hyvä",
        id="fi-apple",
    ),
    pytest.param(
        "Dobrze\n\nPobierz aplikację Outlook dla systemu iOS<https://aka.ms/o0ukef>\n________________________________\nOd: Anna <anna@desk.example>\nWysłane: wtorek, 7 kwietnia 2026 09:03\nDo: Paul <p@p.example>\nTemat: Odp: Wizyta\n\nWtorek?\n",
        "Dobrze",
        id="pl-outlook",
    ),
    pytest.param(
        "Dobrze\n\nWysłane z iPhone’a\n\n> Wiadomość napisana przez Anna <anna@desk.example> w dniu 07.04.2026, o godz. 09:03:\n> \n> Wtorek?\n",
        "Dobrze",
        id="pl-iphone",
    ),
    pytest.param(
        "Dobrze\n\nDnia 7 kwietnia 2026 09:03 Anna <anna@desk.example> napisał(a):\n\nWtorek?\n", "Dobrze", id="pl-wp"
    ),
    pytest.param(
        "Dobrze\n\nwt., 7 kwi 2026 o 09:03 Anna <anna@desk.example> napisał(a):\n\n> Wtorek?\n", "Dobrze", id="pl-gmail"
    ),
    pytest.param(
        "Dobře\n\nút 7. 4. 2026 v 9:03 odesílatel Anna <anna@desk.example> napsal:\n\n> Úterý?\n",
        "Dobře",
        id="cs-gmail",
    ),
    pytest.param(
        "Dobře\n\nOdesláno z iPhonu\n\n> 7. 4. 2026 v 9:03, Anna <anna@desk.example>:\n> \n> Úterý?\n",
        "Dobře",
        id="cs-apple",
    ),
    pytest.param(
        "Dobře\n\nZískat Outlook pro iOS<https://aka.ms/o0ukef>\n________________________________\nOd: Anna <anna@desk.example>\nOdesláno: úterý 7. dubna 2026 9:03\nKomu: Paul <p@p.example>\nPředmět: Re: Návštěva\n\nÚterý?\n",
        "Dobře",
        id="cs-outlook",
    ),
    pytest.param(
        "Dobre\n\nOdoslané z Outlook for iOS<https://aka.ms/o0ukef>\n________________________________\nOd: Anna <anna@desk.example>\nOdoslané: utorok 7. apríla 2026 9:03\nKomu: Paul <p@p.example>\nPredmet: Re: Návšteva\n\nUtorok?\n",
        "Dobre",
        id="sk-azet",
    ),
    pytest.param(
        "Хорошо\n\nОтправлено с iPhone\n\n> 7 апр. 2026 г., в 9:03, Анна <anna@desk.example> написал(а):\n> \n> Вторник?\n",
        "Хорошо",
        id="ru-iphone",
    ),
    pytest.param(
        "Хорошо\n\n--\nОтправлено из Mail.ru для Android вторник, 07 апреля 2026г., 09:03 +03:00 от Анна  anna@desk.example :\n\nВторник?\n",
        "Хорошо",
        id="ru-mailru",
    ),
    pytest.param(
        'Хорошо\n\n07.04.2026, 09:03, "Анна" <anna@desk.example>:\n\nВторник?\n\n-- \nОтправлено из мобильного приложения Яндекс Почты\n',
        "Хорошо",
        id="ru-yandex",
    ),
    pytest.param(
        "Хорошо\n\n-----Исходное сообщение-----\nОт: Анна <anna@desk.example>\nДата: вторник, 7 апреля 2026 г. в 9:03\nКому: Paul\nТема: Re: Приём\n\nВторник?\n",
        "Хорошо",
        id="ru-outlook",
    ),
    pytest.param(
        "Хорошо\n\nвт, 7 апр. 2026 г. в 09:03, Анна <anna@desk.example>:\n\n> Вторник?\n", "Хорошо", id="ru-gmail"
    ),
    pytest.param(
        "Добре\n\nвт, 7 квіт. 2026 р. о 09:03 Анна <anna@desk.example> пише:\n\n> Вівторок?\n", "Добре", id="uk-gmail"
    ),
    pytest.param(
        "Добре\n\nНадіслано з iPhone\n\n> 7 квіт. 2026 р. о 09:03 Анна <anna@desk.example> пише:\n> \n> Вівторок?\n",
        "Добре",
        id="uk-iphone",
    ),
    pytest.param(
        'Добре\n\n7 квітня 2026, 09:03:11, від "Анна" <anna@desk.example>:\n\nВівторок?\n', "Добре", id="uk-ukrnet"
    ),
    pytest.param(
        "Jó\n\nAnna <anna@desk.example> ezt írta (időpont: 2026. ápr. 7., K 9:03):\n\n> Kedd?\n", "Jó", id="hu-gmail"
    ),
    pytest.param("Jó\n\n\nAnna <anna@desk.example> írta:\n>Kedd?\n", "Jó", id="hu-freemail"),
    pytest.param(
        "Bine\n\nTrimis de pe iPhone\n\n> Pe 7 apr. 2026, la 09:03, Anna <anna@desk.example> a scris:\n> \n> Marți?\n",
        "Bine",
        id="ro-yahoo",
    ),
    pytest.param(
        "Bine\n\nÎn marți, 7 aprilie 2026 la 09:03:11 EEST, Anna <anna@desk.example> a scris:\n\nMarți?\n",
        "Bine",
        id="ro-yahoo2",
    ),
    pytest.param(
        "Εντάξει\n\nΕστάλη από το iPhone μου\n\n> Στις 7 Απρ 2026, στις 9:03 π.μ., ο χρήστης Anna <anna@desk.example> έγραψε:\n> \n> Τρίτη;\n",
        "Εντάξει",
        id="el-iphone",
    ),
    pytest.param(
        "Tamam\n\niPhone’umdan gönderildi\n\n> Anna <anna@desk.example> şunları yazdı (7 Nis 2026 09:03):\n> \n> Salı?\n",
        "Tamam",
        id="tr-iphone",
    ),
    pytest.param(
        "Tamam\n\niOS için Outlook’u edinin<https://aka.ms/o0ukef>\n________________________________\nGönderen: Anna <anna@desk.example>\nGönderildi: 7 Nisan 2026 Salı 09:03\nKime: Paul <p@p.example>\nKonu: Ynt: Randevu\n\nSalı?\n",
        "Tamam",
        id="tr-outlook",
    ),
    pytest.param(
        "承知しました。\n\niPhoneから送信\n\n> 2026/04/07 9:03、Anna <anna@desk.example>のメール:\n> \n> 火曜日？\n",
        "承知しました。",
        id="ja-iphone",
    ),
    pytest.param(
        "承知しました。\n\n-- \n田中\n株式会社例\n\n2026年4月7日(火) 9:03 Anna <anna@desk.example>:\n\n> 火曜日？\n",
        "承知しました。",
        id="ja-sig",
    ),
    pytest.param(
        "承知しました。\n\n-----Original Message-----\nFrom: Anna\nSent: Tuesday, April 7, 2026 9:03 AM\nTo: Paul\nSubject: 予約\n\n火曜日？\n",
        "承知しました。",
        id="ja-original",
    ),
    pytest.param(
        "好的\n\n从我的 iPhone 发送\n\n> 在 2026年4月7日，09:03，Anna <anna@desk.example> 写道：\n> \n> 周二？\n",
        "好的",
        id="zh-iphone",
    ),
    pytest.param(
        "好的\n\n发自我的iPhone\n\n\n------------------ Original ------------------\nFrom: Anna <anna@desk.example>\nDate: Tue,Apr 7,2026 9:03 AM\nTo: Paul <p@p.example>\nSubject: Re: 预约\n\n\n周二？\n",
        "好的",
        id="zh-qqmobile",
    ),
    pytest.param(
        "好的\n\nAnna <anna@desk.example> 于2026年4月7日周二 09:03写道：\n\n> 周二？\n", "好的", id="zh-gmail"
    ),
    pytest.param(
        "好的\n\n---- 回复的原邮件 ----\n| 发件人 | Anna<anna@desk.example> |\n| 发送日期 | 2026年4月7日 09:03 |\n| 收件人 | Paul<p@p.example> |\n| 主题 | 预约 |\n周二？\n",
        "好的",
        id="zh-netease",
    ),
    pytest.param(
        "네\n\n나의 iPhone에서 보냄\n\n> 2026. 4. 7. 오전 9:03, Anna <anna@desk.example> 작성:\n> \n> 화요일?\n",
        "네",
        id="ko-iphone",
    ),
    pytest.param(
        "네\n\n2026년 4월 7일 (화) AM 9:03, Anna <anna@desk.example>님이 작성:\n\n> 화요일?\n", "네", id="ko-gmail"
    ),
    pytest.param(
        "Được\n\nTải Outlook cho iOS<https://aka.ms/o0ukef>\n________________________________\nTừ: Anna <anna@desk.example>\nĐã gửi: Thứ Ba, 7 tháng 4, 2026 09:03\nĐến: Paul <p@p.example>\nChủ đề: Re: Lịch\n\nThứ ba?\n",
        "Được",
        id="vi-outlook",
    ),
    pytest.param(
        "בסדר\n\n________________________________\nמאת: Anna <anna@desk.example>\nנשלח: יום שלישי 07 אפריל 2026 09:03\nאל: Paul <p@p.example>\nנושא: Re: תור\n\nשלישי?\n",
        "בסדר",
        id="he-outlook",
    ),
    pytest.param(
        "حسنا\n\n________________________________\nمن: Anna <anna@desk.example>\nتم الإرسال: الثلاثاء, أبريل 7, 2026 9:03 ص\nإلى: Paul <p@p.example>\nالموضوع: رد: موعد\n\nالثلاثاء؟\n",
        "حسنا",
        id="ar-outlook",
    ),
    pytest.param(
        "Bonjour,\n\nvoir ci-dessous.\n\nLe 07/04/2026 à 09:03, Anna a écrit :\n> Bonjour,\n>\n> 1. Quel jour ?\nMardi\n> 2. Quelle heure ?\n9 h\n>\n> Anna\n\n-- \nPaul\n",
        "Bonjour,\n\nvoir ci-dessous.\n\n> Bonjour,\n>\n> 1. Quel jour ?\nMardi\n> 2. Quelle heure ?\n9 h",
        id="multi-inter",
    ),
    pytest.param(
        "Voici le document.\n\n[image: signature.png]\n\nLe mar. 7 avr. 2026 à 09:03, Anna <anna@desk.example> a écrit :\n\n> ok\n",
        "Voici le document.\n\n[image: signature.png]",
        id="attachment-note",
    ),
    pytest.param(
        "Troisième.\n\nLe mar. 7 avr. 2026 à 09:03, Anna <anna@desk.example> a écrit :\n\nDeuxième.\n\nLe lun. 6 avr. 2026 à 08:00, Paul <p@p.example> a écrit :\n\nPremier.\n",
        "Troisième.",
        id="two-replies",
    ),
    pytest.param(
        "Oui\xa0!\n\nDe\xa0: Anna <anna@desk.example>\nEnvoyé\xa0: mardi 7 avril 2026 09:03\nÀ\xa0: Paul\nObjet\xa0: RE: Rdv\n\nMardi\xa0?\n",
        "Oui !",
        id="crlf-free-nbsp",
    ),
    pytest.param(
        "Test reply\n\nOn 11-Apr-2011, at 6:54 PM, Roman Desk <roman@desk.example> wrote:\n\n>\n> Test\n>\n> Roman",
        "Test reply",
        id="older-1",
    ),
    pytest.param(
        "Test reply\n\nOn 11-Apr-2011, at 6:54 PM, Roman Desk <roman@desk.example> sent:\n\n>\n> Test\n>\n> Roman",
        "Test reply",
        id="older-2",
    ),
    pytest.param("On 04/19/2011 07:10 AM, Roman Desk wrote:\n\n>\n> Test\nTest reply", "Test reply", id="older-3"),
    pytest.param(
        "On 04/19/2011 07:10 AM, Roman Desk wrote:\n\n>\n>\n> Test reply\n\nRegards, Roman",
        "Regards, Roman",
        id="older-4",
    ),
    pytest.param(
        "Test reply\n\nOn 04/19/2011 07:10 AM, Roman Desk wrote:\n\n>\n> Test\n\nRegards, Roman",
        "Test reply\n\nRegards, Roman",
        id="older-5",
    ),
    pytest.param(
        "Test reply\nOn Nov 30, 2011, at 12:47 PM, Somebody <\n416ffd3258d4d2fa4c85cfa4c44e1721d66e3e8f4@desk.example>wrote:\n\nTest message\n",
        "Test reply",
        id="older-7",
    ),
    pytest.param(
        "Test reply\n\nOn 04/19/2011 07:10 AM, Roman Desk wrote:\n\n\nTest. On 04/19/2011 07:10 AM, Roman Desk wrote:\n>\n>>\n>> Test.\n>>\n>> Roman",
        "Test reply",
        id="older-8",
    ),
    pytest.param(
        "Test reply\nOn 10/03/2011 1:04 PM,\nBob <bob@example.com>\nwrote:\n\n> Hi", "Test reply", id="older-9"
    ),
    pytest.param("reply\n\n -----Original Message-----\n\nTest", "reply", id="older-10"),
    pytest.param("reply\n-----Original Message-----\nFrom: bob@example.com\n", "reply", id="older-11"),
    pytest.param(
        "Reply\n\nFrom: bob@example.com\nSent: Wednesday, 3 April 2013\nTo: anna\nSubject: x\n\nTest",
        "Reply",
        id="older-12",
    ),
    pytest.param("Test reply\n\n-----Ursprüngliche Nachricht-----\n\nTest", "Test reply", id="older-13"),
    pytest.param("Test reply\n\n-----Oprindelig meddelelse-----\n\nTest", "Test reply", id="older-14"),
    pytest.param(
        "Blah\n\n________________________________\n\nFrom: bob@example.com\nDate: Tue, 22 May 2012 18:29:16 -0600\n\nText",
        "Blah",
        id="older-15",
    ),
    pytest.param(
        "Hello\n\nOn Thu, Jun 12, 2014 at 1:05 PM, bob@example.com\n<bob@example.com> wrote:\n> Hi",
        "Hello",
        id="older-16",
    ),
    pytest.param("Hi\n\n2014-03-20 16:48 GMT-05:00 Juli Desk <juli@desk.example>:\n\n> text", "Hi", id="older-17"),
    pytest.param("Hi\n\nLe 20 mai 2013 à 16:25, Bob <bob@example.com> a écrit :\n\n> Hello", "Hi", id="older-18"),
    pytest.param(
        "Hi\n\nW dniu 28 stycznia 2015 01:53 użytkownik Zoe <zoe@desk.example> napisał:\n\nBlah", "Hi", id="older-19"
    ),
    pytest.param("Hi\n\nDen 1. sep. 2014 kl. 10.00 skrev Bob:\n\n> text", "Hi", id="older-20"),
    pytest.param("Hi\n\nOp 13 mei 2014 18:52 schreef Bob:\n\nText", "Hi", id="older-21"),
    pytest.param("Hi\n\nOn Wed, Sep 25, 2013, at 03:57 PM, bob via list wrote:\n| text\n| more", "Hi", id="older-22"),
    pytest.param("Hi\n\n--------- Original Message ---------\nSubject: x\n\nText", "Hi", id="older-23"),
    pytest.param("Hi\n\n---- John Smith wrote ----\n\n> quoted\n> text", "Hi", id="older-24"),
    pytest.param("Hi\n\nJohn Smith wrote:\n> quoted\n> text", "Hi", id="older-25"),
    pytest.param("Hi\n\n* John Smith <j@example.com> [2024-01-01 10:00]:\n> quoted", "Hi", id="older-26"),
    pytest.param("Hi\n\nAt 10:12 AM 3/5/2024, John Smith wrote:\n>quoted", "Hi", id="older-27"),
    pytest.param("Hi\n\nQuoting John Smith <j@example.com>:\n\n> quoted", "Hi", id="older-28"),
    pytest.param("Hi\n\nCitando John <j@example.com>:\n\n> quoted", "Hi", id="older-29"),
    pytest.param("Hi\n\nZitat von John <j@example.com>:\n\n> quoted", "Hi", id="older-30"),
    pytest.param("Hi\n\nJohn Smith <j@example.com> a écrit :\n\n> quoted", "Hi", id="older-31"),
    pytest.param("Hi\n\nThus spake John (j@example.com):\n\n> quoted", "Hi", id="older-32"),
    pytest.param("Hi\n\nDixit John, le 5 mars :\n\n> quoted", "Hi", id="older-33"),
    pytest.param("Hi\n\nOn 5 March 2024 10:12:13 CET, John <j@example.com> wrote:\n>quoted", "Hi", id="older-34"),
    pytest.param("Hi\n\n[2024-03-05 10:12] John:\n> quoted", "Hi", id="older-35"),
    pytest.param("Hi\n\nEl 05/03/2024 10:12, John dijo:\n> quoted", "Hi", id="older-36"),
    pytest.param("Hi\n\nJohn, 05.03.2024 10:12:\n> quoted", "Hi", id="older-37"),
    pytest.param("Hi\n\nOn Tuesday 05 March 2024 10:12:13 John wrote:\n> quoted\n", "Hi", id="older-38"),
    pytest.param(
        "Hi\n\n\n\n\n\nSent from my iPad\n\n> On 5 Mar 2024, at 10:12, John <j@example.com> wrote:\n>\n> quoted",
        "Hi",
        id="older-39",
    ),
    pytest.param(
        "Hi\n\n________________________________________\nVon: John [j@example.com]\nGesendet: Dienstag, 5. März 2024 10:12\nBis: Anna\nBetreff: x\n\ntext",
        "Hi",
        id="older-40",
    ),
    pytest.param(
        "Hi\n\n*Von:*John [mailto:j@example.com]\n*Gesendet:* Dienstag, 5. März 2024 10:12\n*An:* Anna\n*Betreff:* x\n\ntext",
        "Hi",
        id="older-41",
    ),
    pytest.param(
        "Hi\n\n**De:** John <j@example.com>\n**Enviado:** martes, 5 de marzo de 2024 10:12\n**Para:** Anna\n**Asunto:** x\n\ntext",
        "Hi",
        id="older-42",
    ),
    pytest.param(
        "Hi\n\nFrom: John <j@example.com>\nReply-To: John <j@example.com>\nDate: Tuesday, 5 March 2024 at 10:12\nTo: Anna\nCc: x\nSubject: x\nResent-From: <z@example.com>\n\ntext",
        "Hi",
        id="older-43",
    ),
    pytest.param("Hi\n\n> -----Original Message-----\n> From: John\n> Sent: x\n> \n> text", "Hi", id="older-44"),
    pytest.param(
        "Hi\n\nFrom: John via Desk (Support) <j@example.com>\nSent: 5 March 2024 10:12\n\ntext", "Hi", id="older-45"
    ),
    pytest.param("Hi\n\nJohn Smith replied:\n\n> text", "Hi", id="older-46"),
    pytest.param(
        "Hi\n\nDate: Tue, 3 Apr 2012 13:54:44 +0300\nSubject: x\nFrom: bob@example.com\nTo: anna\n\ntext",
        "Hi",
        id="older-47",
    ),
    pytest.param(
        "Hi\n\nTo: anna@example.com\nFrom: bob@example.com\nDate: Tue, 3 Apr 2012 13:54:44 +0300\nSubject: x\n\ntext",
        "Hi",
        id="older-48",
    ),
    pytest.param(
        "Hi\n\nSubject: Re: x\nFrom: bob@example.com\nDate: Tue, 3 Apr 2012 13:54:44 +0300\nTo: anna\n\ntext",
        "Hi",
        id="older-49",
    ),
    pytest.param(
        "Hi\n\nBegin forwarded message:\n\nFrom: bob@example.com\nSubject: x\nDate: 3 April 2012\nTo: anna\n\ntext",
        "Hi",
        id="older-50",
    ),
    pytest.param(
        "Hi\n\n---------- Forwarded message ----------\nFrom: Bob <bob@example.com>\nDate: Tue, Sep 4, 2012 at 1:35 PM\nSubject: Two\nTo: rob@example.com\n\nText",
        "Hi",
        id="older-51",
    ),
    pytest.param(
        "Bonjour,\n\nvoici :\n\n  1. a\n  2. b\n\n-- \nPaul", "Bonjour,\n\nvoici :\n\n  1. a\n  2. b", id="older-52"
    ),
    pytest.param(
        "Hi\n\n--\nPaul Smith\nCEO\nTel. +1 555 0100\nwww.p.example\n\nThis e-mail and any attachments are confidential and intended solely for the addressee. If you are not the intended recipient, please notify the sender and delete it.\n\nOn 5 Mar 2024, at 10:12, John wrote:\n> text",
        "Hi",
        id="older-53",
    ),
    pytest.param(
        "Hi\n\nOn 5/3/24 10:12, John wrote:\n> text\n\nThis e-mail is confidential.",
        "Hi\n\nThis e-mail is confidential.",
        id="older-54",
    ),
    pytest.param(
        'Thanks Anna\n On Mar 8, 2012 9:59 AM, "Desk" <\nr+7f1b094ceb90e18cca93d53d3703feae@example.com> wrote:\n\n\n>**\n>  Blah-blah-blah',
        "Thanks Anna",
        id="older-55",
    ),
    pytest.param(
        "8.45am-1pm\n\nFrom: somebody@example.com\nDate: Wed, 16 May 2012 00:15:02 -0600\n\n<http://mail.example.com/c/dHJhY2tpbmdfY29kZT1mMDdjYzBmNzM1ZjYzMGIxNT\n>  <bob@example.com <mailto:bob@example.com> >\n\nRequester: ",
        "8.45am-1pm",
        id="older-56",
    ),
    pytest.param(
        "YOLO salvia.\n\n------On 12/29/1987 17:32 PM, Julius Caesar wrote-----\n\nBrunch mumblecore",
        "YOLO salvia.",
        id="older-58",
    ),
    pytest.param("Hallo\n\nVào 14:24 8 tháng 6, 2017, Hùng <h@example.com> đã viết:\n\n> x", "Hallo", id="older-59"),
    pytest.param("Hi\nOn 2014-03-05, John wrote:\n# text\n# more", "Hi", id="older-60"),
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
    pytest.param(
        "Voici nos contacts :\n\nAnna <anna@desk.example>\nPaul <paul@desk.example>\n\nCordialement", id="list-addr"
    ),
    pytest.param(
        "Anna a dit :\n« Venez mardi à 10:30 »\net Paul a écrit à 11:00 :\n« Non »\n\nQui croire ?", id="quote-speech"
    ),
    pytest.param(
        "Programme du 7 avril 2026 :\n09:00 : accueil\n10:00 : réunion avec anna@desk.example\n12:00 : repas\n\nÀ confirmer.",
        id="agenda",
    ),
    pytest.param(
        "Commande n° 12\nDate : 7 avril 2026 10:12\nClient : Anna <anna@desk.example>\nObjet : lampe\n\nMerci de me dire quand elle part.",
        id="order",
    ),
    pytest.param(
        "De : Anna <anna@desk.example>\nTéléphone : 01 99 00 00 00\nMessage : rappelez-moi\nDate : 07/04/2026 10:12",
        id="form2",
    ),
    pytest.param(
        "Suite à notre échange du 7 avril 2026 à 09:03 avec Anna <anna@desk.example> :\n\nje confirme.\n\nPaul",
        id="rappel",
    ),
    pytest.param("Bonjour\n\nJe viens à 10 h - sauf imprévu -\net repars à 11 h.\n\n— Paul", id="signed-dash"),
    pytest.param("Bonjour\n\n***\n\nPremier point\n\n***\n\nSecond point", id="stars"),
    pytest.param(
        "[07/04/2026 09:03] Anna: on se voit mardi ?\n[07/04/2026 09:05] Paul: oui\n\nVoilà la conversation.", id="sms"
    ),
    pytest.param(
        "Hello,\n\nOn Monday at 10:30 I will write to anna@desk.example:\nshe has to know.\n\nPaul", id="en-on"
    ),
    pytest.param("He wrote to me on Monday at 10:30 from anna@desk.example and said:\nnot now.\n\nPaul", id="wrote-q"),
    pytest.param("Q: Quand ?\nR: Mardi.\nQ: Où ?\nR: Lyon.", id="dialog"),
    pytest.param("Sent from my heart: thank you for your phone call!\n\nPaul", id="sentfrom"),
    pytest.param("Appelez-moi.\n\nMobile : 06 99 00 00 00\nEnvoyé par la poste : le téléphone de ma mère", id="mobile"),
    pytest.param("Hello,\n\nI got this error:\n\n> undefined method\n> line 3\n\nCan you help?", id="mail-1"),
    pytest.param(
        "Hi,\n\nthe log says:\n2024-03-05 10:12:13 root@example.com: failed\n2024-03-05 10:12:14 root@example.com: failed\n\nThanks",
        id="mail-2",
    ),
    pytest.param(
        "Hi,\n\nmy config:\n\nfrom: a@example.com\nto: b@example.com\nsubject: x\n\nis it right?", id="mail-3"
    ),
    pytest.param("Meeting notes 5 March 2024 10:12:\n- John wrote the report:\n  done\n- Anna: open", id="mail-4"),
    pytest.param("| a | b |\n| - | - |\n| 1 | 2 |\n\nIs this table right?", id="mail-5"),
    pytest.param("My table:\n\n| a | b |\n| - | - |\n| 1 | 2 |", id="mail-6"),
    pytest.param(
        "Bonjour Madame,\n\nJe vous confirme ma venue mardi 3 mars à 10:30.\n\nCordialement,\nNora Petit\n06 99 00 00 00",
        id="alone-a",
    ),
    pytest.param("OK", id="alone-b"),
    pytest.param("👍", id="alone-c"),
    pytest.param(
        "Bonjour\n\nPièces à fournir :\n- carte d'identité\n- RIB\n\nMerci de confirmer\n\nNora", id="alone-d"
    ),
    pytest.param("Merci !\n\nP.-S. : mon adresse a changé :\n12 rue des Lilas\n69000 Lyon", id="alone-e"),
    pytest.param(
        "Mon RIB :\nIBAN : FR76 3000 1007 9412 3456 7890 185\nBIC : BDFEFRPP\nTitulaire : Nora Petit", id="alone-f"
    ),
    pytest.param(
        "Voici le lien : https://visio.example/abc\nDate : mardi 3 mars 2026\nHeure : 10:30\nCode : 1234", id="alone-g"
    ),
    pytest.param("Je réponds point par point :\n\n1) oui\n2) non\n3) peut-être\n\n--> à vous de voir", id="alone-h"),
    pytest.param("De mon côté c'est bon.\nÀ mardi donc.\nObjet perdu : un parapluie.", id="alone-i"),
    pytest.param(
        "Bonjour,\n\nLe 2 mars, j'ai appelé à 14:05 et on m'a dit :\n\"Rappelez demain\".\n\nPouvez-vous m'aider ?",
        id="alone-j",
    ),
    pytest.param("Sujet : renouvellement d'ordonnance\n\nBonjour Docteur,\nje voudrais renouveler.", id="alone-k"),
    pytest.param("Horaires\n=======\nlundi 9:00 - 12:00\nmardi 9:00 - 12:00", id="alone-l"),
    pytest.param("Hello,\n\nhere is the code\n\n    if a > b:\n        print(a)\n\nthanks", id="alone-n"),
    pytest.param(
        "Guten Tag,\n\nam 3. März um 10:30 Uhr passt es.\nMeine Adresse: nora@petit.example\n\nMit freundlichen Grüßen\nNora Petit",
        id="alone-o",
    ),
    pytest.param(
        "Buongiorno,\nho scritto il 2 marzo 2026 alle 14:05 a cabinet@roux.example:\nnessuna risposta.\n\nNora",
        id="alone-p",
    ),
    pytest.param("Estimada,\nescribió usted que sí.\nQuedo a la espera.\nNora", id="alone-q"),
    pytest.param("Добрый день,\nя писал вам 2 марта 2026 в 14:05.\nОтвета нет.\nНора", id="alone-r"),
    pytest.param("お世話になっております。\n3月3日 10:30 に伺います。\nよろしくお願いいたします。", id="alone-s"),
    pytest.param("您好，\n3月3日10:30可以。\n谢谢", id="alone-t"),
    pytest.param("Dzień dobry,\nnapisałam do Państwa 2 marca 2026 o 14:05.\nProszę o odpowiedź.\nNora", id="alone-u"),
    pytest.param("Bonjour,\n\nA : oui\nB : non\nC : oui\n\nVoilà mes réponses au questionnaire.", id="alone-w"),
    pytest.param(
        "Date de naissance : 02/03/1980\nNom : Petit\nPrénom : Nora\nÀ rappeler au : 06 99 00 00 00\nObjet : suivi",
        id="alone-x",
    ),
    pytest.param("Voici la facture (n° 12 du 02/03/2026) :\ntotal 120 €\n\nMerci", id="alone-y"),
    pytest.param("Mail envoyé depuis mon ordinateur hier, l'avez-vous reçu ?", id="alone-z"),
]


def trimmed(text: str) -> str:
    return fresh_words(text, fresh_spans(text)).replace("\xa0", " ")


@pytest.mark.parametrize(("head", "quoted"), ANSWERS)
def test_an_answer_above_what_a_program_quotes_is_found(head: str, quoted: str) -> None:
    assert trimmed(f"{WORDS}\n\n{head}\n{quoted}\n") == WORDS


@pytest.mark.parametrize(("text", "words"), ENTIRE)
def test_the_words_of_an_answer_are_found_wherever_they_stand(text: str, words: str) -> None:
    assert trimmed(text) == words


@pytest.mark.parametrize("text", PROSE)
def test_prose_stays_whole(text: str) -> None:
    assert trimmed(text) == text.strip()


LINE = "Le lun. 2 mars 2026 à 14:05, Cabinet Roux <cabinet@roux.example> a écrit :"


@pytest.mark.parametrize("text", PROSE)
def test_prose_above_a_quotation_stays_whole(text: str) -> None:
    assert trimmed(f"{text}\n\n{LINE}\n\n{MARKED}\n") == text.strip()


@pytest.mark.parametrize(
    "hostile",
    ["12:30 a@b :\n" * 8_000, "12:30 2026 a@b> wrote:\n" * 4_000, "x\n__________\nfoo\n\n" * 8_000, "x\n--\nfoo\n" * 8_000,
     "De : x y Sent: a To: b Subject: c 2026\n" * 2_000, ("transf " * 140 + "\n") * 100, ("| De | " + " " * 900 + "\n") * 100,
     "x\n" * 2_000 + f"> {LINE}\n" * 1_000, f"x\n{LINE}\n> q\n" * 1_000, "-----BEGIN PGP SIGNATURE-----\n" * 4_000],
    ids=range(10),
)  # fmt: skip
def test_a_hostile_list_takes_no_time(hostile: str) -> None:
    began = time.process_time()
    fresh_spans(hostile)
    assert time.process_time() - began < 5


def test_a_signature_counts_as_its_authors_where_that_is_asked() -> None:
    text = f"{WORDS}\n\n-- \nNora Petit\n\nEnvoyé de mon iPhone\n\nLe 5 mars 2026 à 10:12, Cabinet Roux a écrit :\n{MARKED}\n"
    assert (
        fresh_words(text, fresh_spans(text, with_signature=True))
        == f"{WORDS}\n\n-- \nNora Petit\n\nEnvoyé de mon iPhone"
    )
