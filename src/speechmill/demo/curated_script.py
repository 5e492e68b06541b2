# SPDX-License-Identifier: Apache-2.0
"""What the demo's aligner is trained on: other sentences than the demo's, read by other voices.

Written for this project and dedicated to the public domain (CC0-1.0).
"""

from __future__ import annotations

from speechmill.demo.script import Voice

READERS = {
    "en": (Voice("Mark", "en-us+m3", 145, pitch=40, pitch_range=50), Voice("Fay", "en-us+f2", 155, 55, 50)),
    "vi": (Voice("Sơn", "vi+m3", 150, pitch=40, pitch_range=50), Voice("Hoa", "vi+f2", 155, 55, 50)),
}

ENGLISH = (
    "The small boat crossed the river before the rain began.",
    "My sister plays the piano almost every night.",
    "We bought fresh bread and a little cheese at the market.",
    "The old bridge was closed because it needs a new roof.",
    "Please put the yellow box under the table.",
    "Nobody knows where the grey cat sleeps in winter.",
    "They walked through the forest until they found a lake.",
    "The teacher asked us to write down three questions.",
    "A strong wind blew the leaves across the empty street.",
    "He always drinks two cups of coffee after lunch.",
    "The train to the north leaves in twenty minutes.",
    "Her brother works in a large hospital near the sea.",
    "I would rather stay at home and read a good book.",
    "The children laughed when the clown dropped his hat.",
    "Could you show me the shortest way to the station?",
    "The farmer sold his sheep and kept only one horse.",
    "It was so dark that we could hardly see the path.",
    "She opened the window and listened to the birds.",
    "The guide gave every guest a different answer.",
    "There is plenty of room for everybody in this house.",
    "Our neighbour grows tomatoes, beans and very large onions.",
    "The museum shows pictures that were painted by young people.",
    "You should never swim alone when the water is cold.",
    "He measured the wall twice and then cut the wood.",
    "The music stopped, and everyone looked towards the door.",
    "In July the days are long and the evenings are warm.",
    "The doctor told him to rest for at least a week.",
    "Several ships were waiting outside the harbour this morning.",
    "What would you choose if you had enough money?",
    "The engine makes a strange noise whenever we turn left.",
    "Thousands of visitors come to this village each summer.",
    "The judge thought that his story was rather funny.",
    "She gave the beggar her gloves and an orange.",
    "Fishing is usually better just after sunrise.",
    "They finished the job early, which pleased the owner.",
    "A thick fog covered our valley all day long.",
)
VIETNAMESE = (
    "Hôm qua trời nắng đẹp nên chúng tôi đi chơi xa.",
    "Mẹ tôi thường dậy sớm để nấu cơm cho cả nhà.",
    "Con mèo nhỏ nằm ngủ dưới gốc cây bàng.",
    "Bố dạy em tập viết chữ vào mỗi buổi tối.",
    "Quyển sách này kể về một người lính già.",
    "Anh ấy làm việc ở một nhà máy gần biển.",
    "Cô giáo hỏi cả lớp ba câu hỏi rất khó.",
    "Ngoài chợ có bán nhiều loại hoa quả tươi.",
    "Chị tôi thích uống trà nóng hơn cà phê.",
    "Đêm qua gió thổi mạnh làm đổ mấy cái cây.",
    "Chúng ta nên giữ gìn sức khỏe khi trời lạnh.",
    "Ông bà kể chuyện cổ tích cho các cháu nghe.",
    "Xe buýt số năm chạy qua trước cửa trường học.",
    "Em bé cười khi nhìn thấy quả bóng đỏ.",
    "Người dân trong làng trồng lúa và nuôi cá.",
    "Bạn có biết đường đến nhà ga không?",
    "Mùa thu lá vàng rơi đầy trên con phố cũ.",
    "Họ xây một cây cầu mới bắc qua sông.",
    "Bác sĩ khuyên tôi nghỉ ngơi thêm một tuần nữa.",
    "Chiếc thuyền buồm từ từ rời khỏi bến.",
    "Sinh viên đọc báo trong thư viện suốt buổi sáng.",
    "Nhớ khóa cửa cẩn thận trước khi ra ngoài nhé.",
    "Cánh đồng rộng mênh mông, thẳng tắp đến chân núi.",
    "Tiếng chim hót làm khu vườn thêm vui vẻ.",
    "Anh trai của Hoa học giỏi cả toán lẫn văn.",
    "Nước chảy qua những tảng đá lớn rất nhanh.",
    "Tháng bảy thường có mưa to và sấm chớp.",
    "Bà cụ bán xôi ở góc đường đã hai mươi năm.",
    "Chúng em hát một bài hát về quê hương.",
    "Món phở này ngon vì nước dùng được ninh kỹ.",
    "Khách du lịch chụp ảnh bên hồ nước trong xanh.",
    "Mỗi người một ý nên cuộc họp kéo dài.",
    "Thợ mộc đóng cái ghế bằng gỗ thật chắc.",
    "Trăng tròn chiếu sáng khắp sân nhà.",
    "Cậu bé đứng đợi bạn dưới mái hiên.",
    "Gia đình tôi sẽ chuyển nhà vào cuối tháng.",
)
SENTENCES = {"en": ENGLISH, "vi": VIETNAMESE}
