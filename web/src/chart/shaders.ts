// All shaders of the chart. Places come in CSS pixels from the top left; u_screen is the window's size in them.

const TO_CLIP = `
uniform vec2 u_screen;
vec4 to_clip(vec2 p) { return vec4(p.x / u_screen.x * 2.0 - 1.0, 1.0 - p.y / u_screen.y * 2.0, 0.0, 1.0); }
`;

export const FULL_VERTEX = `
void main() {
  vec2 p = vec2(float((gl_VertexID << 1) & 2), float(gl_VertexID & 2));
  gl_Position = vec4(p * 2.0 - 1.0, 0.0, 1.0);
}`;

export const FILL_VERTEX = `${TO_CLIP}
layout(location = 0) in vec2 a_place;
void main() { gl_Position = to_clip(a_place); }`;

export const FILL_FRAGMENT = `
out vec4 color;
void main() { color = vec4(1.0); }`;

// A coast segment, widened by u_reach on all sides.
export const SEGMENT_VERTEX = `${TO_CLIP}
layout(location = 0) in vec4 a_segment;
uniform float u_reach;
out vec2 v_place;
flat out vec4 v_segment;
void main() {
  vec2 a = a_segment.xy, b = a_segment.zw, d = b - a;
  float len = length(d);
  vec2 along = len > 0.0 ? d / len : vec2(1.0, 0.0);
  vec2 across = vec2(-along.y, along.x);
  float side = float(gl_VertexID & 1) * 2.0 - 1.0;
  float end = float(gl_VertexID >> 1);
  v_place = mix(a, b, end) + across * side * u_reach + along * (end * 2.0 - 1.0) * u_reach;
  v_segment = a_segment;
  gl_Position = to_clip(v_place);
}`;

const SEGMENT_DISTANCE = `
in vec2 v_place;
flat in vec4 v_segment;
float segment_distance() {
  vec2 a = v_segment.xy, d = v_segment.zw - a, p = v_place - a;
  return length(p - d * clamp(dot(p, d) / max(dot(d, d), 1e-9), 0.0, 1.0));
}
`;

// Nearness to the coast, 1 on it and 0 at u_reach; blended with MAX it is the distance field of the whole coast.
export const NEAR_FRAGMENT = `${SEGMENT_DISTANCE}
uniform float u_reach;
out vec4 color;
void main() { color = vec4(max(0.0, 1.0 - segment_distance() / u_reach)); }`;

export const LINE_FRAGMENT = `${SEGMENT_DISTANCE}
uniform vec4 u_color;
uniform float u_width;
out vec4 color;
void main() {
  float alpha = u_color.a * (1.0 - smoothstep(u_width * 0.5 - 0.6, u_width * 0.5 + 0.6, segment_distance()));
  color = vec4(u_color.rgb * alpha, alpha);
}`;

// Noise in metres, the same at every zoom: u_base is a multiple of 4096 m, u_middle the rest, so that floats suffice.
const GROUND = `
uniform vec2 u_screen;      // CSS pixels
uniform float u_density;    // device pixels per CSS pixel
uniform float u_scale;      // CSS pixels per metre
uniform ivec2 u_base;
uniform vec2 u_middle;
uniform float u_reach;
uniform float u_time;
uniform sampler2D u_near;
out vec4 color;

vec2 screen_place() { return vec2(gl_FragCoord.x, u_screen.y * u_density - gl_FragCoord.y) / u_density; }
vec2 local_place(vec2 s) { return u_middle + (s - u_screen * 0.5) * vec2(1.0, -1.0) / u_scale; }
float near_coast() { return texture(u_near, gl_FragCoord.xy / (u_screen * u_density)).r; }

float hash(ivec2 p) {
  uint h = uint(p.x) * 0x9E3779B1u ^ uint(p.y) * 0x85EBCA77u;
  h ^= h >> 15; h *= 0x2C1B3C6Du; h ^= h >> 12; h *= 0x297A2D39u; h ^= h >> 15;
  return float(h & 0xFFFFu) / 65535.0;
}
float noise(vec2 local, int cell_m) {
  vec2 p = local / float(cell_m);
  vec2 f = fract(p);
  ivec2 i = ivec2(floor(p)) + u_base / cell_m;
  f = f * f * (3.0 - 2.0 * f);
  return mix(mix(hash(i), hash(i + ivec2(1, 0)), f.x), mix(hash(i + ivec2(0, 1)), hash(i + ivec2(1, 1)), f.x), f.y);
}
// How much a pattern of that many metres shows: gone when smaller than a few pixels or larger than the window.
float shows(float metres) { float px = metres * u_scale; return smoothstep(5.0, 24.0, px) * (1.0 - smoothstep(900.0, 2600.0, px)); }
float grid(vec2 local, float step_m, float width_px) {
  vec2 d = abs(fract(local / step_m + 0.5) - 0.5) * step_m * u_scale;
  return 1.0 - smoothstep(width_px * 0.5, width_px * 0.5 + 1.0, min(d.x, d.y));
}
`;

export const SEA_FRAGMENT = `${GROUND}
uniform vec3 u_deep, u_middle_color, u_shallow, u_foam, u_ink;
uniform float u_grid_m;

// A line where the distance to the coast passes at_m metres.
float depth_line(float d_m, float at_m) {
  float px = abs(d_m - at_m) * u_scale;
  float inside = smoothstep(7.0, 16.0, at_m * u_scale) * (1.0 - smoothstep(0.62, 0.94, at_m * u_scale / u_reach));
  return inside * (1.0 - smoothstep(0.35, 1.25, px)) * (1.0 - smoothstep(0.5, 3.0, u_scale));
}

void main() {
  vec2 s = screen_place(), local = local_place(s);
  float near = near_coast();
  float d_px = (1.0 - near) * u_reach, d_m = d_px / u_scale;
  float broad = noise(local, 8192) * 0.55 + noise(local + 977.0, 2048) * 0.45 * shows(2048.0);
  float drift = (broad - 0.5) * 0.24;
  float t = clamp(1.0 - near + drift * (1.0 - near), 0.0, 1.0);
  vec3 c = mix(u_shallow, u_middle_color, smoothstep(0.0, 0.48, t));
  c = mix(c, u_deep, smoothstep(0.36, 1.02, t));

  // Isobaths: doubling distances from the coast, so that some are in sight at every zoom.
  float k = exp2(floor(log2(max(d_m, 1e-3)) + 0.5));
  c = mix(c, u_ink, 0.16 * max(depth_line(d_m, k), max(depth_line(d_m, k * 2.0), depth_line(d_m, k * 0.5))));

  float lines = grid(local, u_grid_m, 0.4);
  c = mix(c, u_ink, lines * 0.075);

  // Ripples: only near the eye.
  float close = smoothstep(0.35, 2.5, u_scale);
  if (close > 0.0) {
    vec2 w = local + vec2(u_time * 0.9, u_time * 0.5);
    float a = noise(w, 8), b = noise(local - vec2(u_time * 0.7, -u_time * 0.4) + 31.0, 4);
    float crest = smoothstep(0.60, 0.80, a * 0.6 + b * 0.5);
    c = mix(c, u_foam, crest * 0.14 * close);
    float wash = d_m - (1.1 + 0.7 * sin(u_time * 0.8 + a * 5.0));
    c = mix(c, u_foam, close * 0.75 * (1.0 - smoothstep(0.0, 0.9, abs(wash))));
    c = mix(c, u_foam, close * 0.35 * (1.0 - smoothstep(0.0, 2.4, d_m)));
  } else {
    c += (noise(local + vec2(u_time * 90.0, u_time * 35.0), 4096) - 0.5) * 0.022 * shows(4096.0);
  }
  c += (hash(ivec2(gl_FragCoord.xy)) - 0.5) * 0.004;
  color = vec4(c, 1.0);
}`;

export const LAND_FRAGMENT = `${GROUND}
// One tuft of grass in some cells of a metre, three strokes fanning out.
float tuft(vec2 local) {
  ivec2 i = ivec2(floor(local));
  float h = hash(i + u_base);
  if (h < 0.62) return 0.0;
  vec2 p = fract(local) - vec2(0.25 + 0.5 * fract(h * 91.7), 0.2 + 0.4 * fract(h * 37.3));
  float size = 0.16 + 0.14 * fract(h * 13.1);
  float t = clamp(p.y / size, 0.0, 1.0);
  float a = 1.0;
  for (int k = -1; k <= 1; k++) a = min(a, abs(p.x - float(k) * (0.04 + 0.09 * t)) / (0.028 * (1.05 - t)));
  return p.y < 0.0 || p.y > size ? 0.0 : 1.0 - smoothstep(0.5, 1.0, a);
}

// Flowers of the field: where they bloom they are many, one in most cells of half a metre.
float flower(vec2 local, float bloom) {
  vec2 p = local * 2.0;
  ivec2 i = ivec2(floor(p));
  float h = hash(i + u_base * 2 + 7);
  if (h > bloom) return 0.0;
  vec2 d = fract(p) - 0.5 - (vec2(fract(h * 57.1), fract(h * 83.7)) - 0.5) * 0.7;
  return 1.0 - smoothstep(0.10, 0.16, length(d));
}

uniform vec3 u_land, u_inland, u_meadow, u_meadow_dark, u_sand, u_ink, u_flower;

void main() {
  vec2 s = screen_place(), local = local_place(s);
  float near = near_coast();
  float d_m = (1.0 - near) * u_reach / u_scale;
  float close = smoothstep(0.05, 1.6, u_scale);
  float relief = noise(local, 4096) * 0.5 + noise(local + 411.0, 1024) * 0.3 * shows(1024.0) + noise(local + 73.0, 256) * 0.25 * shows(256.0);

  vec3 far = mix(u_land, u_inland, smoothstep(0.0, 0.9, 1.0 - near) * 0.8 + (relief - 0.45) * 0.5);

  // Places are bent before they are asked, or the lattice of the noise would show as crosses.
  vec2 bent = local + (noise(local + 120.0, 16) - 0.5) * vec2(26.0, -21.0);
  float patches = noise(bent, 64) * 0.5 + noise(local + 19.0, 16) * 0.32 * shows(16.0) + noise(local + 5.0, 2) * 0.18 * shows(2.0);
  vec3 grass = mix(u_meadow, u_meadow_dark, smoothstep(0.25, 0.75, patches));
  // A few trodden, paler places.
  float worn = smoothstep(0.66, 0.86, noise(bent + 300.0, 32)) * 0.55;
  grass = mix(grass, u_sand, worn);
  grass = mix(grass, u_meadow_dark * 0.86, tuft(local) * 0.5 * smoothstep(8.0, 15.0, u_scale) * (1.0 - worn));

  float bloom = smoothstep(0.60, 0.86, noise(bent + 777.0, 32) * 0.7 + noise(bent + 55.0, 8) * 0.45) * (1.0 - worn * 1.8);
  grass = mix(grass, u_flower, bloom * 0.15);
  grass = mix(grass, u_flower, flower(local, bloom * 0.8) * smoothstep(6.0, 13.0, u_scale));

  float beach = 1.0 - smoothstep(2.0, 9.0 + patches * 5.0, d_m);
  vec3 c = mix(far, mix(grass, u_sand, beach), close);
  // Chunks of 30 m, faintly, where one can walk them.
  c = mix(c, u_ink, grid(local + vec2(u_base - (u_base / 30) * 30), 30.0, 0.3) * 0.045 * smoothstep(2.0, 6.0, u_scale));
  // Light from the north-west on the rim.
  c *= 1.0 - 0.10 * near * near * (1.0 - close);
  c += (hash(ivec2(gl_FragCoord.xy)) - 0.5) * 0.006;
  color = vec4(c, 1.0);
}`;

// Where people are: soft lights. a_light: x, y, radius (px), strength.
export const LIGHT_VERTEX = `${TO_CLIP}
layout(location = 0) in vec4 a_light;
out vec2 v_corner;
flat out float v_strength;
flat out float v_radius;
void main() {
  vec2 corner = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1)) * 2.0 - 1.0;
  v_corner = corner;
  v_strength = a_light.w;
  v_radius = a_light.z;
  gl_Position = to_clip(a_light.xy + corner * a_light.z);
}`;

export const LIGHT_FRAGMENT = `
in vec2 v_corner;
flat in float v_strength;
flat in float v_radius;
uniform vec3 u_people, u_hot;
uniform float u_alpha;
out vec4 color;
void main() {
  float r = length(v_corner);
  if (r > 1.0) discard;
  float halo = pow(1.0 - r, 2.2) * (0.34 + 0.40 * v_strength);
  float core_px = 2.1 + 2.6 * v_strength;
  float core = 1.0 - smoothstep(core_px - 0.8, core_px + 0.8, r * v_radius);
  float a = clamp(max(halo, core), 0.0, 1.0) * u_alpha;
  vec3 c = mix(u_people, u_hot, core * (0.35 + 0.6 * v_strength));
  color = vec4(c * a, a);
}`;

// People in the colour of their home. a_dot: x, y, radius (px), 1 = hollow. a_tint: rgb, alpha.
export const DOT_VERTEX = `${TO_CLIP}
layout(location = 0) in vec4 a_dot;
layout(location = 1) in vec4 a_tint;
out vec2 v_px;
flat out vec2 v_shape;
flat out vec4 v_tint;
void main() {
  vec2 corner = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1)) * 2.0 - 1.0;
  v_px = corner * (a_dot.z + 1.0);
  v_shape = a_dot.zw;
  v_tint = a_tint;
  gl_Position = to_clip(a_dot.xy + v_px);
}`;

export const DOT_FRAGMENT = `
in vec2 v_px;
flat in vec2 v_shape;
flat in vec4 v_tint;
out vec4 color;
void main() {
  float r = length(v_px), radius = v_shape.x;
  float inside = 1.0 - smoothstep(radius - 0.6, radius + 0.6, r);
  float hole = v_shape.y * (1.0 - smoothstep(radius - 2.0, radius - 1.0, r));
  float a = inside * (1.0 - hole) * v_tint.a;
  color = vec4(v_tint.rgb * a, a);
}`;

// Sprites: a_body: x, y, size (px), angle. a_look: coat cell, top cell, alpha, shadow. a_tint: rgb.
export const SPRITE_VERTEX = `${TO_CLIP}
layout(location = 0) in vec4 a_body;
layout(location = 1) in vec4 a_look;
layout(location = 2) in vec3 a_tint;
uniform float u_cells;
uniform vec2 u_shift; // of the shadow, in shares of the size
out vec2 v_coat;
out vec2 v_top;
flat out vec3 v_tint;
flat out vec2 v_alpha;
vec2 cell(float n, vec2 corner) {
  vec2 at = vec2(mod(n, u_cells), floor(n / u_cells));
  return (at + 0.5 + corner * 0.5) / u_cells;
}
void main() {
  vec2 corner = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1)) * 2.0 - 1.0;
  float c = cos(a_body.w), s = sin(a_body.w);
  vec2 turned = vec2(corner.x * c - corner.y * s, corner.x * s + corner.y * c);
  v_coat = cell(a_look.x, corner);
  v_top = cell(a_look.y, corner);
  v_tint = a_tint;
  v_alpha = a_look.zw;
  gl_Position = to_clip(a_body.xy + (turned * 0.5 + u_shift) * a_body.z);
}`;

export const SPRITE_FRAGMENT = `
in vec2 v_coat;
in vec2 v_top;
flat in vec3 v_tint;
flat in vec2 v_alpha;
uniform sampler2D u_atlas;
uniform float u_light;
uniform float u_shadow; // 1: draw the shadow instead
out vec4 color;
void main() {
  vec4 coat = texture(u_atlas, v_coat), top = texture(u_atlas, v_top);
  vec4 body = vec4(coat.rgb * v_tint, coat.a) * (1.0 - top.a) + top;
  if (u_shadow > 0.5) color = vec4(0.0, 0.0, 0.0, 1.0) * body.a * v_alpha.x * v_alpha.y * 0.26;
  else color = vec4(body.rgb * u_light, body.a) * v_alpha.x;
}`;
