# SPDX-License-Identifier: Apache-2.0
"""English abbreviations, units, currencies and signs, and what they are read as."""

from __future__ import annotations

from speechmill.text._ways import Ways, listed


def _ways(line: str) -> Ways:
    """Part "doctor | drive" into ways."""
    return [way.split() for way in line.split("|")]


def _table(text: str) -> dict[str, Ways]:
    """Read lines of "abbreviation = way | way"."""
    pairs = (line.partition(" = ") for line in text.strip().splitlines())
    return {key: _ways(said) for key, _, said in pairs}


# With a dot or without, in any case.
ABBREVIATIONS = _table("""
dr = doctor | drive
mr = mister
mrs = missus
ms = miz | miss
st = saint | street
prof = professor
jr = junior
sr = senior
hon = honorable
rev = reverend
gov = governor
sen = senator
rep = representative
gen = general
capt = captain
lt = lieutenant
col = colonel
sgt = sergeant
pres = president
mt = mount | mountain
ft = feet | fort | foot
ave = avenue
blvd = boulevard
rd = road
dept = department
est = established | estimated
govt = government
inc = incorporated | inc
ltd = limited
co = company | co
corp = corporation | corp
assn = association
univ = university
vs = versus | v s
v = v | versus
etc = etcetera | et cetera
e.g = e g | for example
eg = e g | for example
i.e = i e | that is
ie = i e | that is
a.m = a m
p.m = p m
a.k.a = a k a | also known as
approx = approximately
misc = miscellaneous
vol = volume
ch = chapter
pp = pages
ed = edition | ed | editor
tel = telephone
ext = extension
jan = january
feb = february
apr = april
aug = august
sept = september
oct = october
nov = november
mon = monday
tue = tuesday
tues = tuesday
wed = wednesday | wed
thu = thursday
thur = thursday
thurs = thursday
fri = friday
""")
# What is also an ordinary word: an abbreviation only before a number, with a capital.
BEFORE_NUMBER = _table("""
No = number | no
Nos = numbers
Fig = figure | fig
Figs = figures
Eq = equation
Sec = section
Art = article | art
p = page | p
Mar = march | mar
Jun = june
Jul = july
Sep = september
Dec = december
""")
MONTHS = listed("january february march april may june july august september october november december")
# Unit, one of it, more of it. Case counts where two units differ in it.
UNITS: dict[str, tuple[str, str]] = {
    key: (one, many)
    for key, one, many in (
        tuple(part.strip() for part in line.split(","))
        for line in """
        km, kilometer, kilometers
        m, meter, meters
        cm, centimeter, centimeters
        mm, millimeter, millimeters
        nm, nanometer, nanometers
        mi, mile, miles
        ft, foot, feet
        in, inch, inches
        yd, yard, yards
        kg, kilogram, kilograms
        g, gram, grams
        mg, milligram, milligrams
        lb, pound, pounds
        lbs, pound, pounds
        oz, ounce, ounces
        l, liter, liters
        L, liter, liters
        ml, milliliter, milliliters
        mL, milliliter, milliliters
        km/h, kilometer per hour, kilometers per hour
        kph, kilometer per hour, kilometers per hour
        mph, mile per hour, miles per hour
        m/s, meter per second, meters per second
        rpm, r p m, r p m
        s, second, seconds
        sec, second, seconds
        secs, second, seconds
        ms, millisecond, milliseconds
        min, minute, minutes
        mins, minute, minutes
        h, hour, hours
        hr, hour, hours
        hrs, hour, hours
        yr, year, years
        yrs, year, years
        Hz, hertz, hertz
        kHz, kilohertz, kilohertz
        MHz, megahertz, megahertz
        GHz, gigahertz, gigahertz
        dB, decibel, decibels
        V, volt, volts
        W, watt, watts
        kW, kilowatt, kilowatts
        MW, megawatt, megawatts
        kWh, kilowatt hour, kilowatt hours
        KB, kilobyte, kilobytes
        kB, kilobyte, kilobytes
        MB, megabyte, megabytes
        GB, gigabyte, gigabytes
        TB, terabyte, terabytes
        Mbps, megabit per second, megabits per second
        Gbps, gigabit per second, gigabits per second
        ha, hectare, hectares
        m2, square meter, square meters
        m², square meter, square meters
        km², square kilometer, square kilometers
        m³, cubic meter, cubic meters
        m3, cubic meter, cubic meters
        km2, square kilometer, square kilometers
        °C, degree celsius, degrees celsius
        °F, degree fahrenheit, degrees fahrenheit
        °, degree, degrees
        x, times, times
        """.strip().splitlines()
    )
}
WORDS_TOO = {"in", "s", "x", "l", "L", "V", "W", "m", "h", "g", "ha", "ms"}  # also words, letters, titles
# Sign: one unit, more of it, one part, more parts ("" where nobody counts parts).
MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "", ""),
    "₫": ("dong", "dong", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₩": ("won", "won", "", ""),
    "₽": ("ruble", "rubles", "kopek", "kopeks"),
    "฿": ("baht", "baht", "", ""),
    "₺": ("lira", "lira", "", ""),
    "₴": ("hryvnia", "hryvnias", "", ""),
    "₦": ("naira", "naira", "kobo", "kobo"),
    "₱": ("peso", "pesos", "centavo", "centavos"),
}
CODES = _table("""
USD = u s dollars | dollars | u s d
EUR = euros | e u r
GBP = pounds | g b p
JPY = yen | j p y
VND = dong | vietnamese dong | v n d
AUD = australian dollars | dollars | a u d
CAD = canadian dollars | dollars | c a d
CNY = yuan | c n y
INR = rupees | i n r
""")
SUFFIXES = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion", "t": "trillion", "tn": "trillion"}
SIGNS = _table("""
% = percent
‰ = per mille
& = and
@ = at
# = hash | number | pound
+ = plus
= = equals
° = degrees
× = times | by
÷ = divided by
± = plus or minus
< = less than
> = greater than
≈ = approximately
≤ = less than or equal to
≥ = greater than or equal to
≠ = not equal to
² = squared
³ = cubed
""") | {sign: [[names[1]]] for sign, names in MONEY.items()}
IN_ADDRESS = _table("""
. = dot
/ = slash
- = dash | hyphen
_ = underscore
: = colon
@ = at
~ = tilde
? = question mark
= = equals
& = and
% = percent
# = hash
+ = plus
""")
FRACTIONS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
TITLED = frozenset(  # a Roman numeral behind one of these is a number
    listed(
        "chapter part volume book act scene section title article phase type war vol ch grade level class appendix"
        " super bowl episode series season stage mark version"
    )
)
REIGNED = frozenset(  # ... and behind one of these an ordinal
    listed(
        "king queen pope henry louis george elizabeth charles james edward richard william john paul pius benedict"
        " philip francis frederick catherine nicholas alexander napoleon leo gregory clement innocent ramses rama"
    )
)
NO_NUMERALS = frozenset(listed("I CIVIL MIX MILD DIM LIVID VIVID CD DC MD MC DI LI MI MM CC CM IM ID DL"))
EMPHASISED = frozenset(  # short words that are shouted more often than they are acronyms
    listed(
        "A ALL AM AN AND ANY ARE AS AT BAD BE BIG BUT BY CAN DAY DID DO FOR GET GO GOT HAD HAS HE HER HIM HIS HOW I IF"
        " IN IS IT ITS LET MAN ME MEN MY NEW NO NOT NOW OF OH OLD ON ONE OR OUR OUT OWN SAY SEE SHE SO THE TO TOO TWO"
        " UP USE WAS WAY WE WHO WHY YES YET YOU"
    )
)
