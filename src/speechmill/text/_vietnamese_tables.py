# SPDX-License-Identifier: Apache-2.0
"""Vietnamese abbreviations, units, currencies, signs and names of letters, and what they are read as."""

from __future__ import annotations

from speechmill.text._ways import Ways, listed


def _table(text: str) -> dict[str, Ways]:
    """Read lines of "abbreviation = way | way"."""
    pairs = (line.partition(" = ") for line in text.strip().splitlines())
    return {key: [way.split() for way in said.split("|")] for key, _, said in pairs}


def _names(text: str) -> dict[str, str]:
    """Read "w=vê_kép": a letter and the syllables of its name."""
    return {letter: name for letter, _, name in (pair.partition("=") for pair in text.split())}


# In capitals, or as here; with a dot behind or without.
ABBREVIATIONS = _table("""
TP = thành phố
TX = thị xã
TT = thị trấn | trung tâm
Q = quận
P = phường
H = huyện
TP.HCM = thành phố hồ chí minh | sài gòn
TPHCM = thành phố hồ chí minh | sài gòn
HCM = hồ chí minh
HN = hà nội
ĐN = đà nẵng
VN = việt nam
XHCN = xã hội chủ nghĩa
CHXHCN = cộng hòa xã hội chủ nghĩa
UBND = ủy ban nhân dân
HĐND = hội đồng nhân dân
UBMTTQ = ủy ban mặt trận tổ quốc
MTTQ = mặt trận tổ quốc
CSGT = cảnh sát giao thông
CA = công an
NXB = nhà xuất bản
THPT = trung học phổ thông
THCS = trung học cơ sở
ĐH = đại học
ĐHQG = đại học quốc gia
CĐ = cao đẳng
KTX = ký túc xá
BV = bệnh viện
BHXH = bảo hiểm xã hội
BHYT = bảo hiểm y tế
GTVT = giao thông vận tải
GDĐT = giáo dục đào tạo
KHCN = khoa học công nghệ
CNTT = công nghệ thông tin
TNHH = trách nhiệm hữu hạn
CP = cổ phần | chính phủ
HĐQT = hội đồng quản trị
ĐT = điện thoại
SĐT = số điện thoại
TW = trung ương
LHQ = liên hợp quốc
TBT = tổng bí thư
PV = phóng viên
BTC = ban tổ chức
BCH = ban chấp hành
HLV = huấn luyện viên
VĐV = vận động viên
SV = sinh viên
GV = giáo viên
v.v = vân vân
Tp = thành phố
STT = số thứ tự
""")
TITLES = _table("""
GS = giáo sư
PGS = phó giáo sư
TS = tiến sĩ
ThS = thạc sĩ
BS = bác sĩ
KS = kỹ sư
LS = luật sư
CN = cử nhân
NSND = nghệ sĩ nhân dân
NSƯT = nghệ sĩ ưu tú
NGND = nhà giáo nhân dân
NGƯT = nhà giáo ưu tú
KTS = kiến trúc sư
CK1 = chuyên khoa một
CK2 = chuyên khoa hai
""")
PLACES = {"Q": "quận", "P": "phường", "F": "phường", "K": "ki lô mét"}  # Q.1, P.5
UNITS = _table("""
km = ki lô mét | cây số
m = mét
dm = đề xi mét
cm = xăng ti mét | xen ti mét | phân
mm = mi li mét | ly
nm = na nô mét
m2 = mét vuông
m² = mét vuông
km² = ki lô mét vuông
m³ = mét khối
km2 = ki lô mét vuông
cm2 = xăng ti mét vuông
m3 = mét khối
cm3 = xăng ti mét khối
ha = héc ta
kg = ki lô gam | ký | cân
g = gam
mg = mi li gam
l = lít
ml = mi li lít
h = giờ
giờ = giờ
s = giây
ms = mi li giây
Hz = héc
kHz = ki lô héc
MHz = mê ga héc
GHz = gi ga héc
V = vôn
W = oát
kW = ki lô oát
MW = mê ga oát
kWh = ki lô oát giờ
KB = ki lô bai
MB = mê ga bai
GB = gi ga bai
TB = tê ra bai
°C = độ xê | độ
°F = độ ép
° = độ
đ = đồng
tr = triệu
k = nghìn | ngàn | ca
K = nghìn | ngàn | ca
""")
MONEY = _table("""
$ = đô la | đô
€ = ơ rô
£ = bảng | bảng anh
¥ = yên
₫ = đồng
₹ = ru pi
₩ = uôn
₽ = rúp
฿ = bạt
₺ = li ra
₱ = pê sô
""")
CODES = _table("""
USD = đô la mỹ | đô la | u ét đê
EUR = ơ rô
VND = đồng | đồng việt nam | việt nam đồng
VNĐ = đồng | đồng việt nam | việt nam đồng
vnđ = đồng | đồng việt nam
đ = đồng
JPY = yên nhật | yên
CNY = nhân dân tệ
GBP = bảng anh
""")
SIGNS = (
    _table("""
% = phần trăm
‰ = phần nghìn
& = và
@ = a còng
# = thăng
+ = cộng
= = bằng
° = độ
× = nhân
÷ = chia
± = cộng trừ
< = nhỏ hơn
> = lớn hơn
≈ = xấp xỉ
≤ = nhỏ hơn hoặc bằng
≥ = lớn hơn hoặc bằng
≠ = khác
² = bình phương
³ = lập phương
""")
    | MONEY
)
IN_ADDRESS = _table("""
. = chấm
/ = xuyệt
- = gạch ngang
_ = gạch dưới
: = hai chấm
@ = a còng
? = hỏi
= = bằng
& = và
# = thăng
+ = cộng
""")
LETTERS = _names(
    "a=a ă=á â=ớ b=bê c=xê d=dê đ=đê e=e ê=ê f=ép g=gờ h=hát i=i j=gi k=ca l=lờ m=mờ n=nờ o=o ô=ô ơ=ơ p=pê q=quy"
    " r=rờ s=ét t=tê u=u ư=ư v=vê w=vê_kép x=ích y=i_dài z=dét"
)
ENGLISH_LETTERS = _names(
    "a=ây b=bi c=xi d=đi e=i f=ép g=gi h=ết i=ai j=giây k=cây l=eo m=em n=en o=âu p=pi q=kiu r=a s=ét t=ti u=diu"
    " v=vi w=đắp_liu x=ích y=quai z=dét"
)
ORDERED = frozenset(listed("kỷ chương hội quý khóa khoá lần phần chiến hạng cấp kỳ thứ đệ tập hồi mục điều"))
NO_NUMERALS = frozenset(listed("CIVIL MIX DIM CD DC MD MC DI LI MI MM CC CM ID DL CL"))
