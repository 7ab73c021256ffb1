"""A Worker for tests only, which breaks each of production's rules and tells what it met: test_production.py."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import js
from js import Object
from pyodide.ffi import JsException, to_js
from workers import DurableObject, WorkerEntrypoint

from lib.runtime import event_loop
from tools.production.environment import RequestContext, begin, environment_of, told_when_ended
from tools.production.wrapped import in_production

event_loop.install()


@in_production
class Probe(DurableObject):  # type: ignore[misc] # the platform's, which has no types
    """An object that counts its calls and alarms, in memory and on disk."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self._storage = ctx._ctx.storage
        self._calls = 0
        self._storage.sql.exec("CREATE TABLE IF NOT EXISTS told (what TEXT NOT NULL)")

    def call(self) -> int:
        """Return how many calls this object has had; note one on disk too."""
        self._calls += 1
        self.tell("call")
        return self._calls

    def tell(self, what: str) -> None:
        self._storage.sql.exec("INSERT INTO told (what) VALUES (?)", what)

    def told(self) -> str:
        rows = self._storage.sql.exec("SELECT what FROM told").raw().toArray().to_py()
        return json.dumps([what for (what,) in rows])

    def measure(self, length: int) -> int:
        return int(self._storage.sql.exec("SELECT length(?)", "x" * length).raw().toArray().to_py()[0][0])

    def ring(self, due_ms: float) -> None:
        self._storage.setAlarm(due_ms)

    async def alarm(self, _info: Any = None) -> None:
        self.tell(str(js.Date.now()))


class Default(WorkerEntrypoint):  # type: ignore[misc] # the platform's, which has no types
    """Takes the name of what to do and its arguments; answers with what came of it."""

    async def fetch(self, request: Any) -> Any:
        self.bound = environment_of(self.env._env)
        invocation = begin(self.bound)
        context = RequestContext(self.ctx, self.bound.settings.wait_until_ms)
        asked = json.loads(await request.js_object.text())
        if asked.get("do") == "later":
            answer = self._later(context, asked)
        else:
            answer = js.Response.new(json.dumps(await self._do(asked)))
        context.answered(invocation)
        return answer

    async def queue(self, batch: Any, _env: Any, _ctx: Any) -> None:
        """Tell each message to an object. One named `poison` is always given back."""
        self.bound = environment_of(self.env._env)
        begin(self.bound)
        for message in batch._binding.messages:
            await self._plain("queue").tell(f"{batch._binding.queue} {message.body}")
            if message.body == "poison" and not batch._binding.queue.endswith("-dead"):
                message.retry()
            else:
                message.ack()

    async def _do(self, asked: dict[str, Any]) -> Any:
        try:
            return await getattr(self, f"_{asked['do']}")(*asked.get("with", []))
        except JsException as error:
            marks = [name for name in ("retryable", "overloaded") if getattr(error, name, False) is True]
            return {"error": str(error.message), "marks": marks}

    def _plain(self, name: str) -> Any:
        """An object past the stand-ins."""
        return self.env._env.PROBE.getByName(name)

    async def _d1(self, sql: str, values: list[Any], times: int = 1) -> Any:
        started = js.Date.now()
        prepared = [self.bound.DB.prepare(sql).bind(*values) if values else self.bound.DB.prepare(sql)]
        for _ in range(times):
            await self.bound.DB.batch(to_js(prepared))
        return {"ms": js.Date.now() - started}

    async def _both(self, calls: list[Any]) -> Any:
        """Do several things at once."""
        return await asyncio.gather(*(self._do(call) for call in calls))

    async def _call(self, name: str, method: str, *arguments: Any) -> Any:
        started = js.Date.now()
        told = await getattr(self.bound.PROBE.getByName(name), method)(*arguments)
        return {"told": told, "ms": js.Date.now() - started}

    async def _told(self, name: str) -> Any:
        return json.loads(await self._plain(name).told())

    async def _put(self, name: str, text: str) -> Any:
        await self.bound.CACHE.put(name, text)
        return "put"

    async def _get(self, names: list[str]) -> Any:
        found = await self.bound.CACHE.get(to_js(names))
        texts = {name: found.get(name) for name in names}
        return {name: text if isinstance(text, str) else None for name, text in texts.items()}

    async def _send(self, bodies: list[str]) -> Any:
        batch = [{"body": body, "contentType": "text"} for body in bodies]
        await self.bound.QUEUE.sendBatch(to_js(batch, dict_converter=Object.fromEntries))
        return "sent"

    async def _fetch(self, url: str, times: int) -> Any:
        return len(await asyncio.gather(*(js.fetch(url) for _ in range(times))))

    async def _clock(self) -> Any:
        """Compute for a while, then wait: what do the clocks say before, between and after?"""
        told = [(js.Date.now(), time.monotonic())]
        sum(range(3_000_000))
        await asyncio.sleep(0)
        told.append((js.Date.now(), time.monotonic()))
        await js.scheduler.wait(50)
        told.append((js.Date.now(), time.monotonic()))
        return told

    async def _talk(self) -> Any:
        """Say something to who listens behind HYPERDRIVE, and wait for what is said there."""
        socket = self.bound.HYPERDRIVE.connect()
        reader, writer = socket.readable.getReader(), socket.writable.getWriter()
        started = js.Date.now()
        await writer.write(to_js(b"x"))
        await reader.read()
        return {"ms": js.Date.now() - started}

    def _later(self, context: RequestContext, asked: dict[str, Any]) -> Any:
        """Answer, with a stream of so many ms where told, and write something so many ms after."""
        name, ms = asked["with"][0], asked["with"][1]

        async def work() -> None:
            await js.scheduler.wait(ms)
            await self._plain("later").tell(name)

        context.waitUntil(asyncio.ensure_future(work()))
        if len(asked["with"]) < 3:
            return js.Response.new('"answered"')
        pipe = js.IdentityTransformStream.new()
        asyncio.ensure_future(self._speak(pipe.writable.getWriter(), asked["with"][2]))  # noqa: RUF006 - it is answered
        return js.Response.new(told_when_ended(pipe.readable))

    async def _speak(self, writer: Any, ms: int) -> None:
        await writer.write(to_js(b'"ans'))
        await js.scheduler.wait(ms)
        await writer.write(to_js(b'wered"'))
        await writer.close()
