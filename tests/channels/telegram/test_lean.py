from __future__ import annotations

import subprocess
import sys


def run(program: str) -> str:
    """What a program prints that begins without aiogram, as ours do."""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def test_starting_the_program_builds_none_of_aiograms_types() -> None:
    assert run("import bot.worker, aiogram.types as t; print(t.Message.__pydantic_complete__)") == "False"


def test_every_type_and_method_of_aiogram_is_built_when_it_is_first_used() -> None:
    program = """
import channels.telegram, aiogram.methods, aiogram.types, pydantic
found = 0
for module in (aiogram.types, aiogram.methods):
    for kind in map(module.__dict__.get, module.__all__):
        if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
            kind.model_rebuild()
            assert kind.__pydantic_complete__, kind
            found += 1
print(found)
"""
    assert int(run(program)) > 300


def test_an_update_is_read_and_an_answer_understood_without_building_anything_first() -> None:
    program = """
import channels.telegram
from aiogram.methods import SendMessage
from aiogram.methods.base import Response
from aiogram.types import Message, Update

message = {"message_id": 1, "date": 0, "chat": {"id": 1, "type": "private"}, "text": "bonjour"}
press = {"id": "1", "from": {"id": 1, "is_bot": False, "first_name": "Anne"}, "chat_instance": "1", "message": message}
update = Update.model_validate({"update_id": 1, "callback_query": press})
answer = Response[Message].model_validate({"ok": True, "result": message})
call = SendMessage(chat_id=1, text="bonsoir").model_dump(exclude_none=True)
print(type(update.callback_query.message).__name__, answer.result.text, call["text"])
"""
    assert run(program) == "Message bonjour bonsoir"
