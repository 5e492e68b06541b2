# SPDX-License-Identifier: Apache-2.0
"""What is said in the demo, by whom, and how they sound.

Written for this project and dedicated to the public domain (CC0-1.0), text and voices' settings alike. The English
lines were kept because the small offline recogniser understands most of them: they show a pipeline at work and
say nothing about how well a recogniser does on people.
"""

from __future__ import annotations

from msgspec import Struct


class Voice(Struct, frozen=True):
    """A speaker: an espeak-ng voice and how it is played."""

    name: str
    espeak: str
    words_per_minute: int
    pitch: int
    pitch_range: int
    speed: float = 1.0  # playback: 0.92 lowers pitch and formants by 8 % and lasts longer


class Part(Struct, frozen=True):
    """What one voice says without being interrupted."""

    voice: Voice
    text: str


class Script(Struct, frozen=True):
    """A recording with speech. Its audio file's name is `stem` and the suffix of its format."""

    stem: str
    language: str
    parts: tuple[Part, ...]
    lead_s: float  # before the first word
    pause_s: tuple[float, float]  # shortest and longest between parts
    snr_db: float  # of speech over the pink noise below it


# Of 28 voices tried, the recogniser knows a man's (klatt3) and a woman's (f5, slowed down) best.
THOMAS = Voice("Thomas", "en-us+klatt3", 150, pitch=25, pitch_range=45)
ANNA = Voice("Anna", "en-us+f5", 145, pitch=50, pitch_range=50, speed=0.92)
EDWARD = Voice("Edward", "en-us+edward", 150, pitch=50, pitch_range=50)
MINH = Voice("Minh", "vi", 150, pitch=35, pitch_range=50)
LAN = Voice("Lan", "vi+f3", 150, pitch=60, pitch_range=60)

JINGLE_S = 8.0

TALK = Script(
    "english_talk",
    "en",
    (
        Part(THOMAS, "Welcome back to our weekly program about food and farming."),
        Part(THOMAS, "Today we are talking about vegetables with someone who grows them."),
        Part(ANNA, "Thank you for inviting me, your garden looks wonderful."),
        Part(THOMAS, "How many people were working there every week?"),
        Part(ANNA, "Seven people worked there, and three students helped them on Saturday."),
        Part(THOMAS, "That sounds like hard work, especially during winter."),
        Part(ANNA, "Apple trees need plenty of water during their first year."),
        Part(THOMAS, "What happens when there is no rain?"),
        Part(ANNA, "Then we bring water from another village with horses."),
        Part(THOMAS, "Some people think that farming is simple, but nothing is simple."),
        Part(THOMAS, "Do you sell everything, or do you keep something for yourself?"),
        Part(ANNA, "We keep about half, because our children love fresh fruit."),
        Part(THOMAS, "What are your plans after Christmas?"),
        Part(ANNA, "Visitors are always welcome on Sunday afternoon."),
        Part(THOMAS, "Thank you very much, that was really interesting."),
        Part(ANNA, "Thank you for listening, and please remember to join us next Tuesday."),
    ),
    lead_s=JINGLE_S + 1.5,
    pause_s=(0.3, 1.0),
    snr_db=25.0,
)
READ = Script(
    "english_read",
    "en",
    (
        Part(EDWARD, "One evening another man came with wonderful news."),
        Part(EDWARD, "He said that electricity would arrive before summer."),
        Part(EDWARD, "Nobody believed him, but my father was very happy."),
        Part(EDWARD, "Since then my father has always been interested in science."),
    ),
    lead_s=0.5,
    pause_s=(0.4, 0.6),
    snr_db=45.0,
)
VIETNAMESE = Script(
    "tieng_viet",
    "vi",
    (
        Part(LAN, "Xin chào các bạn, mình là Lan."),
        Part(MINH, "Chào mọi người, còn mình là Minh."),
        Part(LAN, "Sáng nay trời mưa nên đường phố rất đông xe."),
        Part(MINH, "Mình đi bộ ra bến xe, áo ướt hết mà vẫn vui."),
        Part(LAN, "Chiều nay chúng mình nấu canh cá với rau thơm nhé?"),
        Part(MINH, "Được chứ, mình sẽ mua cá, còn bạn mua rau và cơm."),
        Part(LAN, "Cảm ơn các bạn đã nghe, hẹn gặp lại vào tuần sau."),
        Part(MINH, "Tạm biệt, chúc mọi người một ngày bình yên."),
    ),
    lead_s=0.8,
    pause_s=(0.4, 1.0),
    snr_db=40.0,
)
SCRIPTS = (TALK, READ, VIETNAMESE)
