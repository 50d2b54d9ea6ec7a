// Two palettes: celadon and hanji by day, ink and lantern light by night. Colours are sRGB, 0..1.

export type Rgb = [number, number, number];

export interface Theme {
  deep: Rgb;
  middle: Rgb;
  shallow: Rgb;
  foam: Rgb;
  ink: Rgb;       // depth lines, grid
  land: Rgb;      // seen from far
  inland: Rgb;
  meadow: Rgb;    // seen from near
  meadow_dark: Rgb;
  sand: Rgb;
  flower: Rgb;
  coast: Rgb;
  people: Rgb;
  people_hot: Rgb;
  own: Rgb;
  light: number;  // of sprites
}

function rgb(hex: number): Rgb {
  return [((hex >> 16) & 255) / 255, ((hex >> 8) & 255) / 255, (hex & 255) / 255];
}

// Of homes: told apart on water and on land, by day and by night.
const HOMES = [0xe0452c, 0x2f66c4, 0xe3aa10, 0x8d45ad, 0x2f9552, 0xe8689f, 0x12a0ae, 0x8a5430].map(rgb);

export function homeColour(number: number): Rgb {
  return HOMES[number % HOMES.length]!;
}

export const DAY: Theme = {
  deep: rgb(0x7fb3b2), middle: rgb(0xa3cbc4), shallow: rgb(0xd6ebe0), foam: rgb(0xfdfffb), ink: rgb(0x1d5560),
  land: rgb(0xf5ecd6), inland: rgb(0xe6dcba), meadow: rgb(0xcfd9a0), meadow_dark: rgb(0xb3c487), sand: rgb(0xf0e2bd), flower: rgb(0xf2d24b),
  coast: rgb(0x8c7448), people: rgb(0xe2502f), people_hot: rgb(0xffc14d), own: rgb(0xd8371f), light: 1,
};

export const NIGHT: Theme = {
  deep: rgb(0x08161f), middle: rgb(0x0e2733), shallow: rgb(0x1c4a53), foam: rgb(0x9cc9c4), ink: rgb(0x9fd6d2),
  land: rgb(0x343b33), inland: rgb(0x293028), meadow: rgb(0x35452f), meadow_dark: rgb(0x2a3a29), sand: rgb(0x5d573f), flower: rgb(0xa58f3d),
  coast: rgb(0xc2ad78), people: rgb(0xff9a3c), people_hot: rgb(0xffe3a1), own: rgb(0xff6a4a), light: 0.82,
};
