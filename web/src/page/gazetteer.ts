// What the islands of the Korean south-west coast are called. An island file may carry a name of its own; most do not, so an
// island that lies where one of these lies, and is about as large, is shown by its name in the reader's language.

import type { Island } from "../sea/islands";
import type { Language } from "./texts";

const CENTRE_M_MAX = 1500;  // between the middles of the boxes: coasts are drawn differently fine
const AREA_RATIO_MAX = 1.6;

// Middle of the box on the sea chart (m), land (km2), English, Korean.
const PLACES: readonly [x_m: number, y_m: number, km2: number, en: string, ko: string][] = [
  [143226, 42294, 1847, "Jeju", "제주도"],
  [114258, 162477, 338, "Jindo", "진도"],
  [271348, 201727, 306, "Namhae", "남해도"],
  [156800, 149269, 85.3, "Wando", "완도"],
  [200335, 161072, 70.6, "Geogeumdo", "거금도"],
  [255292, 182898, 69.2, "Dolsando", "돌산도"],
  [278135, 208096, 52.2, "Changseondo", "창선도"],
  [102175, 232826, 47.7, "Imjado", "임자도"],
  [119224, 207441, 44.0, "Aphaedo", "압해도"],
  [166070, 154983, 43.5, "Gogeumdo", "고금도"],
  [95553, 210157, 43.2, "Jaeundo", "자은도"],
  [87277, 194607, 43.1, "Bigeumdo", "비금도"],
  [103333, 192734, 40.9, "Anjwado", "안좌도"],
  [88435, 187676, 38.2, "Dochodo", "도초도"],
  [111444, 228986, 36.8, "Jido", "지도"],
  [102009, 204068, 36.7, "Amtaedo", "암태도"],
  [167891, 147396, 34.5, "Sinjido", "신지도"],
  [173519, 131190, 33.9, "Cheongsando", "청산도"],
  [143558, 127912, 32.3, "Bogildo", "보길도"],
  [229469, 160135, 30.4, "Oenarodo", "외나로도"],
  [98202, 175123, 29.2, "Sinuido", "신의도"],
  [252809, 168566, 28.0, "Geumodo", "금오도"],
  [145710, 133719, 26.0, "Nohwado", "노화도"],
  [188086, 149457, 25.1, "Pyeongildo", "평일도"],
  [39107, 184584, 23.8, "Heuksando", "흑산도"],
  [152496, 128380, 21.9, "Soando", "소안도"],
  [97043, 143836, 18.8, "Hajodo", "하조도"],
  [95553, 177559, 18.5, "Hauido", "하의도"],
  [103995, 198073, 18.4, "Palgeumdo", "팔금도"],
  [10470, 118919, 12.6, "Gageodo", "가거도"],
  [106313, 226363, 11.3, "Saokdo", "사옥도"],
  [211591, 114610, 8.5, "Geomundo", "거문도"],
  [113762, 213530, 6.4, "Maehwado", "매화도"],
];

export function placeName(island: Pick<Island, "box" | "land_m2">, language: Language): string | undefined {
  const x = (island.box.x0 + island.box.x1) / 2;
  const y = (island.box.y0 + island.box.y1) / 2;
  const found = PLACES.find(([px, py, km2]) => {
    const ratio = island.land_m2 / (km2 * 1e6);
    return Math.hypot(px - x, py - y) <= CENTRE_M_MAX && ratio < AREA_RATIO_MAX && ratio > 1 / AREA_RATIO_MAX;
  });
  return found?.[language === "ko" ? 4 : 3];
}
