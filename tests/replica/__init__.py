# SPDX-License-Identifier: Apache-2.0
"""An offline replica of YouTube and of open platforms, which unmodified yt-dlp and any HTTP client talk to.

One process holds N forward proxies on loopback, each an "egress" with a past of its own: http:// and socks5h:// on the
same port. They end TLS with certificates of a throw-away authority, so clients verify as ever. Nothing is on the disk
but that authority's certificate. No text, picture or sound in it is anybody's.

    with Replica.start(ports=4, latency_s=0.1, weight="realistic") as replica:     # replica.handle
        os.environ.update(replica.environment())                                 # SSL_CERT_FILE, REQUESTS_CA_BUNDLE
        YoutubeDL({"proxy": replica.proxy(0), "compat_opts": {"no-certifi"}}).extract_info("ytsearch20:talk")
        replica.egress(2, ban_after=30)
        replica.control(fault_times=2, reset=True)
        replica.statistics()["videos"]["v0000003000"]                            # {"player": 1, "next": 1}

By hand: `python tests/replica --ports 8801,8802` prints where the certificate lies.

What there is (videos.py):

    v0000003017        video 17 of channel 3: a letter and ten digits, the number: channel * 1000 + index.
                       Even numbers are cc-by, the rest name no licence; numbers divisible by 3 have manual captions,
                       all but those with number % 7 == 6 automatic ones
    index 900 to 929   shorts; 930 to 938 streams that are over; 939 one that runs
    @channel3          channel 3, UCreplica000000000000003, with the tabs videos, shorts and streams
    PLreplica000000003 playlist of the videos of channel 3; UUreplica000000000000003 is its uploads
    any words          a search: all videos in an order of its own
    other ids          "Video unavailable"

What is wrong with a video is told by the first letter of its id (faults.py): p private, d deleted, g geo, m members,
a age, w DRM, n no formats, l live, u upcoming; these stay. b bot check, r try later, q HTTP 429, c licence lost, 5 HTTP
500, k bad JSON, x dropped, f media 403, t truncated media, h media of half the length, s slow media, j captions 429:
these heal after `fault_times` tries. Listings show healthy videos, unless `faults={"private": 0.05}` asks for shares.
A single video: `control(videos={"v0000003000": {"duration": 9000.0, "licence": None, "fault": "geo"}})`.

Settings of the world and of an egress: settings.py. Control over HTTP: control.py. Sites of other platforms: one module
each in sites/, interface in messages.py. Fixtures for pytest: fixtures.py. The published fault schedule: schedule.py.

Latency is that of loopback plus `latency_s` a request and twice that a connection; its figures aren't live ones.
"""
