import typing
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from bot.config import ConfigError, load
from bot.settings import Settings, of_the_process
from bot.toml_lines import line_index
from bot.wiring import declared_accounts
from inbox.hours import Closure, Hours, read_week

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"

SECRETS = {
    "PERMANENCE_MAILBOXES__CABINET_ROUX__IMAP__PASSWORD": "0123456",
    "PERMANENCE_MAILBOXES__PERMANENCE__IMAP__PASSWORD": "null",
    "PERMANENCE_BOTS__PERMANENCE__TOKEN": "123:abc",
    "PERMANENCE_BOTS__DOCTEUR_ROUX__TOKEN": "456:def",
    "PERMANENCE_BOTS__DOCTEUR_ROUX__WEBHOOK__SECRET": "0123456789abcdef",
}

SMALL = """\
[accounts.plombier]
name = "Plomberie Bernard"
mailbox = "accueil"
[accounts.plombier.identity]
display_name = "Plomberie Bernard"
from_address = "bernard@permanence.example"

[mailboxes.accueil.imap]
host = "localhost"
user = "accueil"
password = "hunter2-imap"
[mailboxes.accueil.smtp]
host = "localhost"

[bots.desk]
token = "123:hunter2-token"
"""


def written(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def mistakes(path: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


# ---------------------------------------------------------------- the manual


def test_the_example_loads_with_secrets_from_the_environment() -> None:
    settings = load(EXAMPLE, SECRETS)
    assert list(settings.accounts) == ["docteur-roux", "maitre-lefevre", "plomberie-bernard"]
    assert settings.mailboxes["cabinet-roux"].imap.password.get_secret_value() == "0123456"
    assert settings.mailboxes["permanence"].imap.password.get_secret_value() == "null"
    assert settings.warnings() == []


def settings_keys(model: type[BaseModel], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        inner = [kind for kind in kinds_in(field.annotation) if issubclass(kind, BaseModel)]
        if not inner:
            yield (*place, name)
        for kind in inner:
            is_named = typing.get_origin(field.annotation) is dict
            yield from settings_keys(kind, (*place, name, "*") if is_named else (*place, name))


def kinds_in(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and not typing.get_args(annotation):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from kinds_in(argument)


def test_the_example_shows_every_setting_and_no_other() -> None:
    # settings that may be left out stand commented, as "# key = value" alone on a line
    keys = set(settings_keys(Settings))
    shown = EXAMPLE.read_text(encoding="utf-8").splitlines()
    leaves = {key[-1] for key in keys}
    text = "\n".join(
        line[2:] if line.startswith("# ") and line[2:].partition(" = ")[0] in leaves else line for line in shown
    )
    places = line_index(text)
    parents = {place[:n] for place in places for n in range(len(place))}
    declared = {
        tuple(
            "*" if n == 1 and place[0] in ("accounts", "mailboxes", "bots") else str(name)
            for n, name in enumerate(place)
        )
        for place in (
            tuple(name for name in place if not isinstance(name, int)) for place in places if place not in parents
        )
        if place
    }
    assert declared == keys


def test_what_the_example_calls_the_default_is_the_default(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SMALL), {})
    example = load(EXAMPLE, SECRETS)
    assert settings.desk == example.desk
    assert settings.watch == example.watch
    assert settings.logs == example.logs
    assert settings.web == example.web
    assert settings.mail == example.mail
    assert settings.store.path == tmp_path / "permanence.db"
    mailbox, shown = settings.mailboxes["accueil"], example.mailboxes["cabinet-roux"]
    assert (mailbox.start_at, mailbox.idle_renewal_minutes) == (shown.start_at, shown.idle_renewal_minutes)
    assert (mailbox.imap.port, mailbox.smtp.port, mailbox.imap.tls, mailbox.imap.folder) == (993, 465, "tls", "INBOX")
    assert mailbox.sent_folder == ""
    bot, shown_bot = settings.bots["desk"], example.bots["permanence"]
    assert (bot.desk, bot.api_server, bot.receive) == (shown_bot.desk, shown_bot.api_server, shown_bot.receive)
    account, shown_account = settings.accounts["plombier"], example.accounts["docteur-roux"]
    assert (account.assignment, account.reopen_days) == (shown_account.assignment, shown_account.reopen_days)


# ---------------------------------------------------------------- reading


def test_ports_follow_the_kind_of_tls(tmp_path: Path) -> None:
    text = SMALL.replace('host = "localhost"', 'host = "localhost"\ntls = "starttls"')
    settings = load(written(tmp_path, text), {})
    assert (settings.mailboxes["accueil"].imap.port, settings.mailboxes["accueil"].smtp.port) == (143, 587)
    named = load(written(tmp_path, text.replace('tls = "starttls"', 'tls = "none"\nport = 7')), {})
    assert named.mailboxes["accueil"].imap.port == 7


def test_the_environment_wins_over_the_file_and_speaks_json_for_lists(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL.replace("accueil", "mon-accueil"))
    settings = load(
        path,
        {
            "PERMANENCE_DESK__UNDO_SECONDS": "30",
            "permanence_web__port": "0",
            "PERMANENCE_MAILBOXES__MON_ACCUEIL__IMAP__PASSWORD": "12345",
            "PERMANENCE_OWNERS": '[{"id": 7, "name": "Anne"}]',
            "PERMANENCE_BOTS__DESK__TOKEN": "",
            "PERMANENCE_CONFIG": "elsewhere.toml",
            "HOME": "/nowhere",
        },
    )
    assert (settings.desk.undo_seconds, settings.web.port) == (30, 0)
    assert list(settings.mailboxes) == ["mon-accueil"]
    assert settings.mailboxes["mon-accueil"].imap.password.get_secret_value() == "12345"
    assert settings.owners[0].name == "Anne"
    assert settings.bots["desk"].token.get_secret_value() == "123:hunter2-token"
    assert settings.warnings() == []


def test_a_mistake_in_the_environment_names_the_variable(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL)
    environ = {
        "PERMANENCE_WEB__PORT": "eighty",
        "PERMANENCE_OWNERS": "Anne",
        "PERMANENCE_BOTS__DESK__TOKEM": "99:hunter2-typo",
    }
    said = mistakes(path, environ)
    assert said == [
        "PERMANENCE_BOTS__DESK__TOKEM: bots.desk.tokem: there is no such setting. Did you mean 'token'?",
        "PERMANENCE_OWNERS: owners: is not JSON. Lists and tables are written as JSON in an environment variable",
        "PERMANENCE_WEB__PORT: web.port: must be a whole number. Write its digits alone",
    ]


def test_a_variable_that_names_no_setting_is_a_warning_because_it_may_be_another_programs(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SMALL), {"PERMANENCE_BOT__DESK__TOKEN": "1:hunter2"})
    [warning] = settings.warnings()
    assert str(warning) == (
        "PERMANENCE_BOT__DESK__TOKEN: names no setting and is ignored. Did you mean PERMANENCE_BOTS__…?"
    )


def test_secrets_and_paths_are_found_beside_the_config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/imap").write_text("s3cret\n")
    (tmp_path / "secrets/imap").chmod(0o600)
    (tmp_path / "ca.pem").write_text("not looked at here")
    text = SMALL.replace('password = "hunter2-imap"', 'password_file = "secrets/imap"\nca_file = "ca.pem"')
    path = written(tmp_path, text)
    monkeypatch.chdir("/")
    settings = load(path, {})
    imap = settings.mailboxes["accueil"].imap
    assert imap.password.get_secret_value() == "s3cret"
    assert imap.ca_file == tmp_path / "ca.pem"
    assert settings.store.path == tmp_path / "permanence.db"
    assert set(settings.secrets()) == {"s3cret", "123:hunter2-token"}


def test_an_absolute_store_stays_where_it_is(tmp_path: Path) -> None:
    settings = load(written(tmp_path, '[store]\nurl = "sqlite:/var/lib/desk.db"\n' + SMALL), {})
    assert settings.store.path == Path("/var/lib/desk.db")


@pytest.mark.parametrize(
    ("lines", "url", "secrets"),
    [
        ('url = "mongodb://db1,db2:27018/desk?tls=true"', "mongodb://db1,db2:27018/desk?tls=true", set()),
        (
            'url = "mongodb+srv://desk:p%40ss@cluster.example/desk"',
            "mongodb+srv://desk:p%40ss@cluster.example/desk",
            {"p%40ss", "p@ss"},
        ),
        (
            'url = "mongodb://desk@db/desk?tls=true"\npassword = "p@ss/:"',
            "mongodb://desk:p%40ss%2F%3A@db/desk?tls=true",
            {"p@ss/:"},
        ),
    ],
)
def test_a_store_on_servers_is_shared_and_its_password_is_a_secret(
    tmp_path: Path, lines: str, url: str, secrets: set[str]
) -> None:
    path = written(tmp_path, f"[store]\n{lines}\n{SMALL}")
    path.chmod(0o600)
    settings = load(path, {})
    others = set(load(written(tmp_path, SMALL), {}).secrets())
    assert settings.store.shared
    assert settings.store.server_url() == url
    assert settings.warnings() == []
    assert set(settings.secrets()) - others == secrets
    assert not any(secret in repr(settings) for secret in secrets)


@pytest.mark.parametrize("option", ["tlsInsecure", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames"])
def test_a_store_whose_certificate_is_not_verified_is_warned_of(tmp_path: Path, option: str) -> None:
    path = written(tmp_path, f'[store]\nurl = "mongodb://db/desk?tls=true&{option}=true"\n{SMALL}')
    path.chmod(0o600)
    [warning] = load(path, {}).warnings()
    assert warning.key == "store.url"
    assert "its certificate is not verified" in warning.says


# ---------------------------------------------------------------- mistakes

BAD = """\
colour = "blue"

[store]
url = "mongodb://admin:hunter2-mongo@db.example"

[desk]
langage = "fr"
time_zone = "Europe/Pari"
undo_seconds = "soon"

[[owners]]
id = 1
name = "Anne"
[[owners]]
id = 1
name = "Anne again"

[accounts.Docteur]
name = "Dr Roux"
mailbox = "acceuil"
[accounts.Docteur.identity]
display_name = "Dr\\u000aBcc: all@example.org"

[accounts.plombier]
name = "Plomberie"
mailbox = "accueil"
addresses = ["urgence@permanence.example", "pas une adresse"]
identity = { display_name = "Plomberie" }

[accounts.electricien]
name = "Électricité"
addresses = ["URGENCE@permanence.example"]
identity = { display_name = "Électricité" }

[mailboxes.accueil]
account = "plombie"
idle_renewal_minutes = 45
imap = { host = "mail.example", user = "x", tls = "ssl", password = "hunter2-a", password_file = "b" }

[mailboxes.accueil.smtp]
hots = "mail.example"
ca_file = "missing.pem"
password_file = "missing"

[bots.desk]
token = "hunter2-token"
desk = false
api_server = "localhost:8081"
receive = "webhook"

[bots.other]
desk = "no"
token = 5
"""


def test_every_mistake_is_reported_at_once_with_its_line_and_remedy(tmp_path: Path) -> None:
    path = written(tmp_path, BAD)
    said = mistakes(path)
    assert said == [
        "1: colour: there is no such setting. Remove it; here stand store, desk, owners, accounts, mail, mailboxes, "
        "bots, watch, logs, web",
        "4: store.url: does not name a database. End it with a database of the desk's own, in letters, digits, _ and "
        '-, like "mongodb://db1,db2,db3/permanence"; options follow behind a question mark',
        "7: desk.langage: there is no such setting. Did you mean 'language'?",
        "8: desk.time_zone: 'Europe/Pari' is not a time zone. Did you mean 'Europe/Paris'?",
        "9: desk.undo_seconds: must be a whole number. Write its digits alone",
        "15: owners[2].id: this person is declared twice (line 12). Keep one of them",
        "18: accounts.Docteur: 'Docteur' cannot be a name. Names have 1 to 51 lower-case letters a-z, digits and "
        "hyphens, and begin with a letter or digit",
        "20: accounts.Docteur.mailbox: nothing is declared as [mailboxes.acceuil]. Did you mean 'accueil'?",
        "21: accounts.Docteur.identity.from_address: is missing, and this account has a mailbox. "
        "Add the address its replies come from",
        "22: accounts.Docteur.identity.display_name: must be one line of text. "
        "Write a name without line breaks or control characters",
        "27: accounts.plombier.addresses[2]: 'pas une adresse' is not a mail address. "
        "Write the address alone, like contact@cabinet-martin.example",
        "28: accounts.plombier.identity.from_address: is missing, and this account has a mailbox. "
        "Add the address its replies come from",
        "32: accounts.electricien.addresses[1]: another account has this address too (line 27). "
        "Leave it to one of them",
        "36: mailboxes.accueil.account: nothing is declared as [accounts.plombie]. Did you mean 'plombier'?",
        "37: mailboxes.accueil.idle_renewal_minutes: is above 29. Use 29 or less",
        "38: mailboxes.accueil.imap.password_file: password is given too. Keep either password or password_file",
        "38: mailboxes.accueil.imap.tls: is not one of the choices. Choose 'tls', 'starttls' or 'none'",
        "40: mailboxes.accueil.smtp.host: is missing. Add host = … to [mailboxes.accueil.smtp]",
        "41: mailboxes.accueil.smtp.hots: there is no such setting. Did you mean 'host'?",
        f"42: mailboxes.accueil.smtp.ca_file: there is no file {tmp_path}/missing.pem. Name a file that exists",
        f"43: mailboxes.accueil.smtp.password_file: {tmp_path}/missing cannot be read: No such file or directory. "
        "Write the password into it, and let the user who runs permanence read it",
        "45: bots: no bot is the desk's, so nobody can join. Set desk = true for at least one",
        "46: bots.desk.token: is not a bot token. "
        "Copy the whole token BotFather gave: digits, a colon, letters and digits",
        "48: bots.desk.api_server: is not a web address. Write all of it, like https://desk.example.org/telegram",
        "49: bots.desk.receive: there is no webhook. Add a section [bots.desk.webhook]",
        '53: bots.other.token: must be text. Write it between quotes: token = "…"',
    ]


@pytest.mark.parametrize("name", ["", "two words", "*.com", "*", "a..b", "mx.example.org; spf=pass", "*.*.example.org"])
def test_a_server_that_is_believed_is_named_as_it_names_itself(tmp_path: Path, name: str) -> None:
    text = SMALL + f'[mailboxes.accueil]\ntrusted_authserv_id = ["mx.example.org", "{name}"]\n'
    [said] = mistakes(written(tmp_path, text))
    assert "is not what a mail server calls itself. Copy the first word of" in said


def test_servers_that_are_believed_may_be_written_in_any_case(tmp_path: Path) -> None:
    text = SMALL + '[mailboxes.accueil]\ntrusted_authserv_id = ["MX.Example.org", "*.example.net", "microsoft"]\n'
    mailbox = load(written(tmp_path, text), {}).mailboxes["accueil"]
    assert mailbox.trusted_authserv_id == ("mx.example.org", "*.example.net", "microsoft")
    assert mailbox.verify_dkim


def test_no_mistake_shows_a_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, BAD), {"PERMANENCE_BOTS__OTHER__TOKEN": "hunter2-env"})
    assert len(caught.value.problems) > 20
    assert "hunter2" not in f"{caught.value} {caught.value!r} {caught.value.problems!r}"


def test_settings_do_not_show_their_secrets(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SMALL), {})
    assert "hunter2" not in f"{settings} {settings!r} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a = 1\nb = hunter2"\n', "2: is not TOML: Invalid value. "),
        ("[desk]\nlanguage = 'fr'\nlanguage = 'en'\n", "3: is not TOML: Cannot overwrite a value. "),
        ('[desk]\nlanguage = "fr', "2: is not TOML: "),
        ("[desk\n", "1: is not TOML: "),
    ],
)
def test_what_is_not_toml_is_pointed_at(tmp_path: Path, text: str, expected: str) -> None:
    [said] = mistakes(written(tmp_path, text))
    assert said.startswith(expected)
    assert "hunter2" not in said


def test_a_missing_an_unreadable_and_a_foreign_file_say_what_to_do(tmp_path: Path) -> None:
    assert mistakes(tmp_path / "none.toml") == [
        " there is no such file. Copy config.example.toml there and fill it in, or name another with --config"
    ]
    assert mistakes(tmp_path) == [" cannot be read: Is a directory. Let the user who runs permanence read it"]
    latin = tmp_path / "latin.toml"
    latin.write_bytes('name = "Lefèvre"'.encode("latin-1"))
    assert mistakes(latin) == [" is not UTF-8 text (byte 11). Save the file as UTF-8"]


def test_an_empty_file_asks_for_an_account_and_a_bot(tmp_path: Path) -> None:
    assert [said.strip() for said in mistakes(written(tmp_path, ""))] == [
        "accounts: is missing. Declare whom the desk works for: [accounts.cabinet-martin]",
        "bots: is missing. Declare the bot the secretaries work in: [bots.desk] with its token",
    ]


@pytest.mark.parametrize("key", ["unsorted", "i-cabinet"])
def test_keys_that_mean_something_else_are_refused_to_accounts(tmp_path: Path, key: str) -> None:
    [said] = mistakes(written(tmp_path, SMALL.replace("accounts.plombier", f"accounts.{key}")))
    assert said.startswith(f"1: accounts.{key}: '{key}' is reserved. ")


def test_a_mailbox_of_one_account_cannot_be_anothers(tmp_path: Path) -> None:
    text = SMALL + '[mailboxes.accueil]\naccount = "roux"\n[accounts.roux]\nname = "Dr Roux"\n'
    text += 'identity = { display_name = "Dr Roux", from_address = "roux@permanence.example" }\n'
    assert mistakes(written(tmp_path, text)) == [
        "3: accounts.plombier.mailbox: 'accueil' serves the account 'roux' alone. "
        "Remove account from [mailboxes.accueil], or give 'plombier' a mailbox of its own"
    ]


def test_things_declared_twice_are_found(tmp_path: Path) -> None:
    text = SMALL + '[bots.again]\ntoken = "123:a-newer-token-of-the-same"\n'
    text += "[mailboxes.again]\n"
    text += 'imap = { host = "LOCALHOST", port = 143, folder = "Inbox", user = "accueil", password = "x" }\n'
    text += 'smtp = { host = "localhost" }\n'
    assert mistakes(written(tmp_path, text)) == [
        "18: bots.again.token: another entry is the same bot (line 16). "
        "Keep one of them: Telegram lets one program receive for a token",
        "20: mailboxes.again.imap: another mailbox reads the same folder (line 8). "
        "Keep one of them: every mail would arrive twice",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("desk = 'fr'", "1: desk: must be a table. Write it as a section of its own: [desk]"),
        ("desk = { undo_seconds = -1 }", "1: desk.undo_seconds: is below 0. Use 0 or more"),
        ("desk = { undo_seconds = 1.5 }", "1: desk.undo_seconds: must be a whole number. Write its digits alone"),
        ("owners = 'Anne'", '1: owners: must be a list. Write it between brackets: owners = ["…"], or [[owners]] for '),
        ("owners = [{ id = 1 }]", "1: owners[1].name: is missing. Add name = … to [owners[1]]"),
        ("web = { port = 70000 }", "1: web.port: is above 65535. Use 65535 or less"),
        (
            "store = { url = 'permanence.db' }",
            '1: store.url: is not a store. Write "sqlite:" and a path, like "sqlite:',
        ),
        ("store = { url = 'sqlite:///x.db' }", "1: store.url: is not a store. "),
        ("store = { url = 'mongodb:///desk' }", "1: store.url: does not name a server. "),
        ("store = { url = 'mongodb://[::1/desk' }", "1: store.url: does not name a server. "),
        ("store = { url = 'mongodb://desk:p@ss@db/desk' }", "1: store.url: does not name a server. "),
        ("store = { url = 'mongodb://db/desk/x' }", "1: store.url: does not name a database. "),
        ("store = { driver = 'mysql' }", "1: store.driver: is not one of the choices. Choose 'pymongo' or 'motor'"),
        (
            "store = { url = 'mongodb://db/desk', password = 'hunter2' }",
            "1: store: has a password and no user for it, or two passwords. Name the user alone in url, like ",
        ),
        ("logs = { level = 'loud' }", "1: logs.level: is not one of the choices. Choose 'debug', 'info', 'warning' or"),
        ("bots.desk.desk = 'perhaps'", "1: bots.desk.desk: must be true or false. Write desk = true or desk = false"),
        ("bots.desk.api_server = 'http://x:99999'", "1: bots.desk.api_server: is not a web address. "),
        ("bots.desk.token = 5", '1: bots.desk.token: must be text. Write it between quotes: token = "…"'),
        ("bots.desk.token_file = 5", "1: bots.desk.token_file: must be a path. Write it between quotes: token_file"),
    ],
)
def test_a_value_of_the_wrong_kind_is_explained(tmp_path: Path, line: str, expected: str) -> None:
    text = f"{line}\n{SMALL}"
    if line.startswith("bots."):
        text = text.replace('[bots.desk]\ntoken = "123:hunter2-token"\n', "")
        environ = {} if ".token" in line else {"PERMANENCE_BOTS__DESK__TOKEN": "1:x"}
    else:
        environ = {}
    assert any(said.startswith(expected) for said in mistakes(written(tmp_path, text), environ))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"hunter2\nhunter3\n", "has more than one line"),
        (b"\xff", "is not text"),
    ],
)
def test_a_secret_file_must_hold_one_line_of_text(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "token").write_bytes(content)
    text = SMALL.replace('token = "123:hunter2-token"', 'token_file = "token"')
    assert mistakes(written(tmp_path, text)) == [
        f"16: bots.desk.token_file: {tmp_path}/token {expected}. Write the token into it, on one line"
    ]


def test_a_secret_in_the_environment_wins_over_its_file(tmp_path: Path) -> None:
    text = SMALL.replace('token = "123:hunter2-token"', 'token_file = "missing"')
    settings = load(written(tmp_path, text), {"PERMANENCE_BOTS__DESK__TOKEN": "9:env"})
    assert settings.bots["desk"].token.get_secret_value() == "9:env"


def test_webhooks_need_https_a_secret_and_a_port_of_their_own(tmp_path: Path) -> None:
    text = SMALL + 'receive = "webhook"\n[bots.desk.webhook]\nurl = "http://desk.example/t"\nsecret = "short"\n'
    text += "port = 8085\n"
    assert [said.partition(". ")[0] for said in mistakes(written(tmp_path, text))] == [
        "19: bots.desk.webhook.url: is not an https address",
        "20: bots.desk.webhook.secret: is not a usable secret",
        "21: bots.desk.webhook.port: port 8085 is [web]'s",
    ]


# ---------------------------------------------------------------- warnings


def test_unsafe_choices_are_warnings_that_say_what_to_do(tmp_path: Path) -> None:
    text = SMALL.replace('host = "localhost"', 'host = "mail.example"\ntls = "none"', 1)
    text = text.replace('token = "123:hunter2-token"', 'token_file = "token"\napi_server = "http://bots.example"')
    text += '[web]\nhost = "0.0.0.0"\n'
    (tmp_path / "token").write_text("123:abc")
    (tmp_path / "token").chmod(0o644)
    path = written(tmp_path, text, 0o644)
    said = [str(warning).removeprefix(f"{path}") for warning in load(path, {}).warnings()]
    assert said == [
        f": holds secrets and everybody on this machine can read it. chmod 600 {path}",
        f":17: bots.desk.token_file: everybody on this machine can read {tmp_path}/token. chmod 600 {tmp_path}/token",
        ":10: mailboxes.accueil.imap.tls: the password and every mail travel in clear to mail.example. "
        'Set tls to "tls" or "starttls"',
        ":18: bots.desk.api_server: the token and every message travel in clear to bots.example. "
        "Use https, or a Bot API server on this machine",
        ":20: web.host: /healthz and /metrics are open to whoever reaches 0.0.0.0. "
        'Set host to "127.0.0.1", or let a firewall or proxy guard the port',
    ]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "127.8.8.8"])
def test_in_clear_on_this_machine_is_no_warning(tmp_path: Path, host: str) -> None:
    text = SMALL.replace('host = "localhost"', f'host = "{host}"\ntls = "none"')
    assert load(written(tmp_path, text), {}).warnings() == []


def test_a_world_readable_config_without_secrets_is_no_warning(tmp_path: Path) -> None:
    text = SMALL.replace('password = "hunter2-imap"\n', "").replace('token = "123:hunter2-token"\n', "")
    environ = {"PERMANENCE_MAILBOXES__ACCUEIL__IMAP__PASSWORD": "x", "PERMANENCE_BOTS__DESK__TOKEN": "1:x"}
    assert load(written(tmp_path, text, 0o644), environ).warnings() == []


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        (0o640, "holds secrets and everybody in its group can read it"),
        (0o660, "holds secrets and everybody in its group can change it"),
        (0o604, "holds secrets and everybody on this machine can read it"),
        (0o602, "holds secrets and everybody on this machine can change it"),
    ],
)
def test_a_config_with_secrets_is_its_owners_alone(tmp_path: Path, mode: int, says: str) -> None:
    path = written(tmp_path, SMALL, mode)
    assert [str(warning) for warning in load(path, {}).warnings()] == [f"{path}: {says}. chmod 600 {path}"]


def test_a_store_others_can_read_or_replace_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    store = folder / "desk.db"
    store.write_bytes(b"")
    store.chmod(0o644)
    path = written(tmp_path, '[store]\nurl = "sqlite:data/desk.db"\n' + SMALL)
    said = [str(warning).removeprefix(f"{path}") for warning in load(path, {}).warnings()]
    assert said == [
        f":2: store.url: everybody on this machine can read {store}. chmod 600 {store}",
        f":2: store.url: others can put another file in its place: the folder {folder} is open to them. "
        f"chmod go-w {folder}",
    ]


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("mongodb://desk:x@db1.example:27017,127.0.0.1,db2.example/desk", "db1.example, db2.example"),
        ("mongodb://db1.example/desk?tls=false", "db1.example"),
        ("mongodb+srv://db.example/desk?tls=false", "db.example"),
        ("mongodb://[2001:db8::7]:27017/desk", "[2001:db8::7]"),
        ("mongodb+srv://db.example/desk", ""),
        ("mongodb://db1.example,db2.example/desk?tls=true", ""),
        ("mongodb://localhost:27018,[::1]:27019/desk", ""),
    ],
)
def test_a_database_reached_in_clear_is_a_warning(tmp_path: Path, url: str, named: str) -> None:
    path = written(tmp_path, f'[store]\nurl = "{url}"\n' + SMALL)
    assert [str(warning).removeprefix(f"{path}") for warning in load(path, {}).warnings()] == [
        f":2: store.url: the login and all that is kept travel in clear to {named}. "
        'Let the servers speak TLS, and end the URL with "?tls=true"'
    ] * bool(named)


def test_a_password_in_the_stores_url_makes_the_config_a_secret(tmp_path: Path) -> None:
    text = SMALL.replace('password = "hunter2-imap"\n', "").replace('token = "123:hunter2-token"\n', "")
    environ = {"PERMANENCE_MAILBOXES__ACCUEIL__IMAP__PASSWORD": "x", "PERMANENCE_BOTS__DESK__TOKEN": "1:x"}
    text = '[store]\nurl = "mongodb://desk:hunter2@localhost/desk"\n' + text
    [warning] = load(written(tmp_path, text, 0o644), environ).warnings()
    assert warning.says == "holds secrets and everybody on this machine can read it"


def test_a_folder_where_nobody_can_replace_anothers_file_is_no_warning(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o1777)
    assert load(written(tmp_path, '[store]\nurl = "sqlite:data/desk.db"\n' + SMALL), {}).warnings() == []


def test_replies_nobody_can_take_back_are_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path, "[desk]\nundo_seconds = 0\n" + SMALL)
    assert [str(warning).removeprefix(f"{path}") for warning in load(path, {}).warnings()] == [
        ":2: desk.undo_seconds: a reply leaves the moment Send is pressed, and nobody can take it back. "
        "Give people some seconds: undo_seconds = 15"
    ]


def test_a_webhook_open_to_the_network_is_a_warning(tmp_path: Path) -> None:
    text = SMALL + 'receive = "webhook"\n[bots.desk.webhook]\nurl = "https://desk.example/t"\n'
    text += 'secret = "0123456789abcdef"\nhost = "0.0.0.0"\n'
    path = written(tmp_path, text)
    assert [str(warning).removeprefix(f"{path}") for warning in load(path, {}).warnings()] == [
        ":21: bots.desk.webhook.host: whoever reaches 0.0.0.0 can call the webhook without TLS. "
        'Set host to "127.0.0.1", with the proxy that speaks TLS on this machine'
    ]


@pytest.mark.parametrize(("user", "warned"), [(0, True), (1000, False)])
def test_running_as_root_is_a_warning(user: int, warned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert [(w.says, w.remedy) for w in of_the_process()] == [
        (
            "runs as root, so that any fault in it is a fault of the whole machine",
            "Run it as a user of its own, as docs/permanence.service does",
        )
    ] * warned


# ---------------------------------------------------------------- lines


def test_lines_are_right_whatever_way_a_key_is_written() -> None:
    text = '''# comment = "no [table]"
a = 1
b.c = "x # no"  # yes
[accounts."docteur.roux"]
name = """
[not.a.table]
"two" \\""" ] }
"""
identity = { from = 'a', deep = { x = [1, 2] } }
list = [
  "a", # ]
  { y = 1979-05-27T07:32:00Z },
]
[[owners]]
id = 1
[[owners]]
[owners.more]
"k" = \'\'\'it's\'\'\'
z = ""
last = true
'''
    lines = line_index(text)
    assert lines["a",] == 2
    assert lines["b", "c"] == 3
    assert lines["accounts", "docteur.roux"] == 4
    assert lines["accounts", "docteur.roux", "name"] == 5
    assert lines["accounts", "docteur.roux", "identity", "deep", "x", 1] == 9
    assert lines["accounts", "docteur.roux", "list", 1, "y"] == 12
    assert (lines["owners", 0], lines["owners", 0, "id"]) == (14, 15)
    assert (lines["owners", 1, "more", "k"], lines["owners", 1, "more", "last"]) == (18, 20)
    assert ("not",) not in lines


SHARED = """\
[accounts.plombier]
name = "Plomberie Bernard"
mailbox = "accueil"
tags = ["bernard"]
identity = { display_name = "Plomberie Bernard", from_address = "bernard@permanence.example" }

[accounts.avocat]
name = "Cabinet Lefèvre"
mailbox = "accueil"
addresses = ["*@lefevre.example"]
identity = { display_name = "Cabinet Lefèvre", from_address = "lefevre@permanence.example" }

[mailboxes.accueil]
imap = { host = "localhost", user = "accueil@permanence.example", password = "hunter2-imap" }
smtp = { host = "localhost" }

[bots.desk]
token = "123:hunter2-token"
"""


def test_accounts_share_a_mailbox_by_words_and_addresses_of_their_own(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SHARED), {})
    assert settings.accounts["avocat"].addresses == ("*@lefevre.example",)


@pytest.mark.parametrize(
    ("was", "now", "mistake"),
    [
        ('["bernard"]', '["avocat"]',
         "4: accounts.plombier.tags[1]: this word means another account too (line 7). Leave it to one of them"),
        ('["*@lefevre.example"]', '["Bernard@permanence.example"]',
         "5: accounts.plombier.identity.from_address: another account has this address too (line 10). "
         "Leave it to one of them"),
        ('["*@lefevre.example"]', '["accueil+bernard@permanence.example"]',
         "4: accounts.plombier.tags[1]: another account has this address too (line 10). Leave it to one of them"),
        ('["*@lefevre.example"]', '["accueil+plombier@permanence.example"]',
         "1: accounts.plombier: another account has this address too (line 10). Leave it to one of them"),
        ('["*@lefevre.example"]', '["*@example"]',
         "10: accounts.avocat.addresses[1]: '*@example' is not every address of a domain. "
         "Write it like *@cabinet-martin.example"),
        ("[mailboxes.accueil]\n", '[mailboxes.accueil]\nroute_header = "X Account:"\n',
         "14: mailboxes.accueil.route_header: 'X Account:' is not the name of a header. "
         'Write the name alone, like "X-Account"'),
        ("[mailboxes.accueil]\n", '[mailboxes.accueil]\nroute_header = "Subject"\n',
         "14: mailboxes.accueil.route_header: whoever writes a mail writes Subject. "
         "Name a header that only your own server writes"),
    ],
)  # fmt: skip
def test_what_would_leave_open_whose_a_mail_is_is_a_mistake(tmp_path: Path, was: str, now: str, mistake: str) -> None:
    assert mistakes(written(tmp_path, SHARED.replace(was, now))) == [mistake]


@pytest.mark.parametrize(
    ("lines", "mistake"),
    [
        ('folder = "A"\nfolders = ["A", "B"]', "has both folder and folders. Keep folders, with all of them in it"),
        ('folders = ["A", "INBOX", "inbox"]', "names a folder twice. Keep each once"),
        ('folders = ["1", "2", "3", "4", "5", "6", "7", "8", "9"]',
         "names 9 folders. Each costs a connection: name 8 at most"),
        ('folders = ["A", "B"]\nafter = "move:B"',
         "moves what it receives to 'B', which it receives. Move it to another folder"),
        ('after = "move:inbox"', "moves what it receives to 'inbox', which it receives. Move it to another folder"),
        ('after = "delete"', "'delete' is nothing that can be done. "
         'Choose "nothing", "seen", "flag:" and a word or \\\\Flagged, or "move:" and a folder'),
    ],
)  # fmt: skip
def test_folders_and_what_is_done_in_them_are_said_once_and_make_sense(
    tmp_path: Path, lines: str, mistake: str
) -> None:
    found = mistakes(written(tmp_path, SMALL.replace('user = "accueil"', f'user = "accueil"\n{lines}')))
    assert [each.partition(": ")[2].partition(": ")[2] for each in found] == [mistake]


def test_several_folders_are_received_and_no_other_mailbox_may_read_one_of_them(tmp_path: Path) -> None:
    text = SMALL.replace('user = "accueil"', 'user = "accueil"\nfolders = ["Ventes", "INBOX"]')
    assert load(written(tmp_path, text), {}).mailboxes["accueil"].imap.received == ("Ventes", "INBOX")
    second = '[mailboxes.b]\nimap = { host = "localhost", user = "accueil", password = "x" }\nsmtp = { host = "b" }\n'
    (mistake,) = mistakes(written(tmp_path, text.replace("[bots.desk]", second + "[bots.desk]")))
    assert "another mailbox reads the same folder" in mistake


# ---------------------------------------------------------------- when an account is open


OPEN = SMALL.replace('mailbox = "accueil"\n', 'mailbox = "accueil"\n{more}\n')


def test_hours_holidays_and_closed_days_become_what_the_account_keeps(tmp_path: Path) -> None:
    more = """hours = "lun-ven 8h30-12h30 14h-18h"
holidays = "FR-57"
closed = [2026-12-24, "2026-08-03/2026-08-21"]
answer_within = "1 h 30 min"
"""
    (account,) = declared_accounts(load(written(tmp_path, OPEN.replace("{more}", more)), {}))
    assert account.hours == Hours(
        week=read_week("mon-fri 8:30-12:30 14:00-18:00"),
        holidays="FR-57",
        closed=(
            Closure(first=date(2026, 12, 24), last=date(2026, 12, 24)),
            Closure(first=date(2026, 8, 3), last=date(2026, 8, 21)),
        ),
    )
    assert account.answer_minutes == 90
    assert account.tells_in_chats


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('hours = "mon-fry 8:00-12:00"', "4: accounts.plombier.hours: 'fry' is no day. Write it like"),
        ('hours = "mon 12:00-8:00"', "4: accounts.plombier.hours: '12:00-8:00' is not from one time of a day"),
        ('hours = "mon 8:00-9:00"\nholidays = "Elsass"', "5: accounts.plombier.holidays: 'Elsass' is no country"),
        ('hours = "mon 8:00-9:00"\nholidays = "FR-ZZ"', "5: accounts.plombier.holidays: no public holidays are known"),
        ('hours = "mon 8:00-9:00"\nclosed = ["24/12"]', "5: accounts.plombier.closed[1]: '24/12' is no date"),
        ('hours = "mon 8:00-9:00"\nclosed = ["2026-08-21/2026-08-03"]', "5: accounts.plombier.closed[1]: "),
        ('answer_within = "soon"', "4: accounts.plombier.answer_within: 'soon' is no duration. Write it like"),
        ("closed = [2026-12-24]", "1: accounts.plombier: is open at all hours, and names days"),
    ],
)
def test_a_mistake_about_hours_is_told_with_its_place(more: str, says: str, tmp_path: Path) -> None:
    (mistake,) = mistakes(written(tmp_path, OPEN.replace("{more}", more)))
    assert mistake.startswith(says)


def test_an_acknowledgement_that_nothing_can_fill_in_is_refused(tmp_path: Path) -> None:
    text = SMALL + '[accounts.plombier.acknowledgement]\nenabled = true\ntext = "Bonjour. {horaires}"\n'
    (mistake,) = mistakes(written(tmp_path, text))
    assert "says {horaires}, which nothing fills in. There are {hours} and {answer}" in mistake
