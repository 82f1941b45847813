"""A short day at the desk, played by itself: every step says what each person saw, or what was missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.text import Text

from bot.demo.letters import Letter, Person, read, write
from bot.demo.scene import ANNE, GARNIER, LANGUAGE, LISE, LUCAS, MARC, SOPHIE, VASSEUR
from bot.demo.seat import PATIENCE, NotSeen, Seat, Seen, labels, number, words
from bot.locales import Catalogue
from handlers import callbacks

if TYPE_CHECKING:
    from bot.demo.desk import DemoDesk

UNDO_SECONDS = 3


def expect(holds: object, says: str) -> None:
    """Go on only if it holds.

    Raises:
        NotSeen: it does not.
    """
    if not holds:
        raise NotSeen(says)


class Day:
    """The steps of the day, in order, and what each needs of those before."""

    def __init__(self, desk: DemoDesk, out: Console) -> None:
        self.desk = desk
        self.out = out
        self.anne = Seat(desk.telegram, ANNE)
        self.lise = Seat(desk.telegram, LISE)
        self.marc = Seat(desk.telegram, MARC)
        self.lucas = Seat(desk.telegram, LUCAS)
        self.number = ""
        self.reply: Letter

    @property
    def steps(self) -> list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        return [
            ("Anne, Lise and Marc join by invitation; Anne comes on duty", self.people_join),
            ("Sophie writes a mail to Dr Vasseur: Anne gets its card", self.mail_becomes_a_card),
            ("Anne replies to the card: she sees what Sophie will see", self.reply_becomes_a_preview),
            ("Anne sends: after the time to undo, Sophie has the reply in her mailbox", self.reply_arrives),
            ("Sophie answers: same conversation, same secretary", self.answer_comes_back),
            ("Sophie writes again before Anne sends: Send is blocked until Anne has read", self.stale_is_blocked),
            ("Anne sends and undoes: nothing leaves", self.undo_takes_back),
            ("Lucas writes in Telegram: it waits in the queue", self.telegram_waits),
            ("Anne and Lise press Take together: one gets it, the other is told who", self.both_take),
            ("The reply arrives in Lucas's Telegram", self.telegram_reply_arrives),
            ("Lucas answers: same conversation, same secretary", self.telegram_answer_comes_back),
        ]

    # -- the mail

    async def people_join(self) -> None:
        for seat in (self.anne, self.lise, self.marc):
            seat.say(f"/start {self.desk.invitations[seat.person.id]}")
            welcome = await seat.sees("a welcome", seat.person.first_name, button=callbacks.Duty)
            self.show(seat.person.first_name, welcome)
        self.anne.say("/ici")
        self.show("Anne", await self.anne.sees("the queue", button=callbacks.Queue))

    async def mail_becomes_a_card(self) -> None:
        said = "Mon traitement se termine vendredi. Faut-il que je prenne rendez-vous ?"
        self.opening = await self.mails("Renouvellement d’ordonnance", said)
        self.card = await self.anne.sees(
            "the card", VASSEUR.name, SOPHIE.name, self.opening.subject, said, button=callbacks.Release
        )
        self.number = number(self.card)
        self.show("Anne", self.card)

    async def reply_becomes_a_preview(self) -> None:
        self.said = "Le docteur renouvelle votre ordonnance, elle vous attend au cabinet dès demain."
        self.anne.say(f"Bonjour Madame,\n\n{self.said}", reply_to=self.card)
        self.preview = await self.anne.sees(
            "a preview with the sender, the subject, the words and the signature",
            VASSEUR.display_name,
            SOPHIE.address,
            f"Re: {self.opening.subject}",
            self.said,
            VASSEUR.signature.partition("\n")[0],
            button=callbacks.Send,
        )
        self.show("Anne", self.preview)

    async def reply_arrives(self) -> None:
        await self.anne.press(self.preview, callbacks.Send)
        undoable = await self.anne.sees("the reply about to leave, with Undo", self.said, button=callbacks.Undo)
        expect(not self.desk.mail.inbox(SOPHIE.address), "the reply left before the time to undo was over")
        self.show("Anne", undoable)
        self.reply = await self.receives(self.said)
        self.show_mail(self.reply)
        expect(
            self.reply.sender == Person(VASSEUR.display_name, VASSEUR.address),
            f"the reply comes from {self.reply.sender}, not from the account",
        )
        expect(
            self.reply.recipients == (Person("", SOPHIE.address),) or self.reply.recipients == (SOPHIE,),
            f"the reply is addressed to {self.reply.recipients}",
        )
        expect(self.reply.subject == f"Re: {self.opening.subject}", f"its subject is {self.reply.subject!r}")
        expect(self.reply.in_reply_to == self.opening.message_id, f"its In-Reply-To is {self.reply.in_reply_to!r}")
        expect(
            self.reply.references.split() == [self.opening.message_id], f"its References are {self.reply.references!r}"
        )
        state = Catalogue().say(LANGUAGE, "delivery.sent", when="").strip()
        sent = await self.anne.sees("the card with the reply on it, sent", self.number, self.said, state)
        self.show("Anne", sent)

    async def answer_comes_back(self) -> None:
        said = "Merci ! Puis-je envoyer mon mari la chercher ?"
        await self.mails(f"Re: {self.opening.subject}", said, answers=self.reply)
        self.card = await self.anne.sees(
            "the same conversation with the answer", self.number, said, button=callbacks.Release
        )
        self.show("Anne", self.card)
        expect(not self.lise.has(self.number), "Lise was shown a conversation that is Anne's")

    async def stale_is_blocked(self) -> None:
        said = "Oui, avec votre carte Vitale."
        self.anne.say(said, reply_to=self.card)
        preview = await self.anne.sees("a preview", said, button=callbacks.Send)
        late = "Finalement je passerai moi-même jeudi."
        await self.mails(f"Re: {self.opening.subject}", late, answers=self.reply)
        await self.anne.sees("the card with what arrived meanwhile", self.number, late)
        answer = await self.anne.press(preview, callbacks.Send)
        self.out.print(f"   Anne presses Send and is told: [italic]{escape(answer)}[/]")
        warned = await self.anne.sees("the preview with what arrived meanwhile", said, late, button=callbacks.Send)
        self.show("Anne", warned)
        expect(len(self.desk.mail.inbox(SOPHIE.address)) == 1, "the reply left all the same")
        await self.anne.press(warned, callbacks.Send)
        self.show_mail(await self.receives(said))
        expect(len(self.desk.mail.inbox(SOPHIE.address)) == 2, "the reply left twice")

    async def undo_takes_back(self) -> None:
        said = "Le cabinet est fermé jeudi, pardon."
        self.anne.say(said, reply_to=self.card)
        await self.anne.press(await self.anne.sees("a preview", said, button=callbacks.Send), callbacks.Send)
        sent = await self.anne.sees("the reply about to leave, with Undo", said, button=callbacks.Undo)
        answer = await self.anne.press(sent, callbacks.Undo)
        self.out.print(f"   Anne presses Undo and is told: [italic]{escape(answer)}[/]")
        draft = await self.anne.sees("her draft again", said, button=callbacks.Discard)
        await asyncio.sleep(UNDO_SECONDS + 0.5)
        expect(
            not any(said in read(mail).text for mail in self.desk.mail.inbox(SOPHIE.address)),
            "the reply left all the same",
        )
        await self.anne.press(draft, callbacks.Discard)
        self.out.print("   Sophie received nothing")

    # -- Telegram

    async def telegram_waits(self) -> None:
        self.lise.say("/ici")
        await self.lise.sees("the queue", button=callbacks.Queue)
        self.lucas.say(f"/start {GARNIER.id}")
        self.show("Lucas", await self.lucas.sees("a greeting in the firm's name", GARNIER.display_name))
        self.asked = "Bonjour, ma chaudière affiche E02 et il n’y a plus d’eau chaude."
        self.lucas.say(self.asked)
        await self.queue_shows(self.marc, GARNIER.name, LUCAS.first_name)

    async def both_take(self) -> None:
        cards = {}
        for seat in (self.anne, self.lise):
            queue = await self.queue_shows(seat, GARNIER.name, LUCAS.first_name)
            line = next(line for line in words(queue).splitlines() if GARNIER.name in line)
            self.number = number({"text": line})
            await seat.press(queue, callbacks.Show, label=self.number)
            cards[seat] = await seat.sees("the card to take", self.asked, button=callbacks.Take)
        told = await asyncio.gather(*(seat.press(card, callbacks.Take) for seat, card in cards.items()))
        answers = dict(zip(cards, told, strict=True))
        for seat, answer in answers.items():
            self.out.print(f"   {seat.person.first_name} presses Take and is told: [italic]{escape(answer)}[/]")
        losers = [seat for seat, told in answers.items() if self.other(seat).person.first_name in told]
        expect(len(losers) == 1, f"{len(losers)} of the two were told that the other has it")
        [self.loser] = losers
        self.winner = self.other(self.loser)
        self.card = await self.winner.sees("the card as hers", self.asked, button=callbacks.Release)
        self.show(self.winner.person.first_name, self.card)
        held = await self.loser.sees("the card as the other's", self.asked, self.winner.person.first_name)
        self.show(self.loser.person.first_name, held)
        expect(not self.loser.has(self.asked, button=callbacks.Take), "it is still offered to the other")

    async def telegram_reply_arrives(self) -> None:
        said = "Coupez l’arrivée de gaz, le technicien passe à 14 h."
        self.winner.say(said, reply_to=self.card)
        preview = await self.winner.sees("a preview", said, button=callbacks.Send)
        await self.winner.press(preview, callbacks.Send)
        self.show("Lucas", await self.lucas.sees("the reply", said))

    async def telegram_answer_comes_back(self) -> None:
        said = "Parfait, je serai là. Merci !"
        self.lucas.say(said)
        card = await self.winner.sees("the same conversation", self.number, said, button=callbacks.Release)
        self.show(self.winner.person.first_name, card)
        expect(not self.loser.has(said), f"{self.loser.person.first_name} was shown the answer too")

    # -- what people do and see

    async def mails(self, subject: str, said: str, *, answers: Letter | None = None) -> Letter:
        """Sophie writes to Dr Vasseur from her mail program."""
        text = f"Bonjour,\n\n{said}\n\nSophie Marchand\n"
        if answers is not None:
            quoted = "".join(f"> {line}\n" for line in answers.text.splitlines())
            text += f"\nLe cabinet a écrit :\n{quoted}"
        await self.desk.mail.submit(
            SOPHIE.address, [VASSEUR.address], write(SOPHIE, VASSEUR.address, subject, text, answers=answers)
        )
        self.out.print("   Sophie sends:")
        letter = read(self.desk.mail.sent(SOPHIE.address)[-1])
        self.show_mail(letter)
        return letter

    async def receives(self, said: str) -> Letter:
        """Sophie finds it in her mailbox, once the time to undo is over."""
        try:
            mail = await self.desk.mail.wait_for(
                SOPHIE.address, lambda mail: said in read(mail).text, seconds=UNDO_SECONDS + PATIENCE
            )
        except TimeoutError:
            raise NotSeen(f"Sophie did not receive “{said}”") from None
        self.out.print("   Sophie receives:")
        return read(mail)

    async def queue_shows(self, seat: Seat, *parts: str) -> Seen:
        """Somebody looks at the queue, and again, until it shows what it must."""
        for _ in range(4):
            try:
                return await self.queue_now(seat, *parts)
            except NotSeen:
                continue
        return await self.queue_now(seat, *parts)

    async def queue_now(self, seat: Seat, *parts: str) -> Seen:
        seat.say("/file")
        queue = await seat.sees("the queue with what waits", *parts, button=callbacks.Show, seconds=2)
        self.show(seat.person.first_name, queue)
        return queue

    def other(self, seat: Seat) -> Seat:
        return self.lise if seat is self.anne else self.anne

    def show(self, name: str, message: Seen) -> None:
        shown = Text(words(message))
        if buttons := labels(message):
            shown.append("\n" + "  ".join(f"[ {label} ]" for label in buttons), style="cyan")
        self.out.print(Panel(shown, title=f"{name} sees", title_align="left", width=90))

    def show_mail(self, letter: Letter) -> None:
        head = f"De : {letter.sender.name} <{letter.sender.address}>\nObjet : {letter.subject}"
        if letter.in_reply_to:
            head += f"\nIn-Reply-To: {letter.in_reply_to}"
        self.out.print(Panel(Text(f"{head}\n\n{letter.text.strip()}"), width=90, style="dim"))


async def play(desk: DemoDesk, out: Console) -> int:
    """Play the day; 0 when every step held, 1 at the first that did not, which is named."""
    day = Day(desk, out)
    for position, (name, step) in enumerate(day.steps, 1):
        out.print(f"\n[bold]{position}. {escape(name)}[/]")
        try:
            await desk.unless_the_worker_fails(step())
        except NotSeen as failure:
            out.print(f"[bold red]✗ Step {position} failed: {escape(name)}[/]\n{escape(str(failure))}")
            return 1
        out.print("   [green]✓[/]")
    out.print(f"\n[bold green]All {len(day.steps)} steps held.[/]")
    return 0
