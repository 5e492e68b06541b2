# SPDX-License-Identifier: Apache-2.0
"""The smallest site: a page, a counter that a reset empties, a file with ranges, a fault that heals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replica.messages import Answer, Request, file_answer, html_answer, json_answer, text_answer

if TYPE_CHECKING:
    from replica.world import World

HOSTS = ("example.test", "*.example.test")


def answer(request: Request, world: World) -> Answer:
    if request.path == "/":
        return html_answer(f"<title>{world.options('example').get('title', 'Example')}</title>")
    if request.path == "/robots.txt":
        return text_answer("User-agent: *\nDisallow: /private\n")
    if request.path == "/count":
        memory = world.memory("example")
        memory["count"] = memory.get("count", 0) + 1
        return json_answer(memory)
    if request.path == "/audio":
        clip = world.library.clip(0)
        return file_answer(request, clip.content, clip.content_type)
    if request.path == "/flaky":  # answers 500 `fault_times` times
        return Answer(status=500) if world.fails("example/flaky") else text_answer("well")
    return Answer(status=404)
