// One frame: nearness to the coast -> sea -> land through the stencil -> shore line -> lights of people -> beings.

import type { Island } from "../sea/islands";
import type { Camera } from "./camera";
import { boxesMeet, clipped, Coast, fan, grown } from "./geometry";
import { Floats, program, stream, type Program, type Stream } from "./gl";
import * as shaders from "./shaders";
import { ATLAS_CELLS, paintAtlas, type Sprite } from "./sprites";
import type { Rgb, Theme } from "./theme";

const REACH_PX = 120;   // how far the coast's shading goes on the screen
const REACH_M = 16;     // and at least in the world: beach and foam need it
const NEAR_SHRINK = 2;  // the distance field is drawn this much coarser
const CLIP_MARGIN_PX = 24;
const BASE_M = 4096;
const COAST_PX = 1.3;
const DOT_PX_MIN = 3;
const DOT_PX_MAX = 5;
const STEP_MS = 130;    // a frame of a step
const GRID_STEPS_M = [100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000];

export interface Light {
  x: number; // metres on the chart
  y: number;
  radius_m: number;
  people: number;
}

// Somebody, in the colour of the home that decides for him.
export interface HomeDot {
  x: number; // metres on the chart
  y: number;
  tint: Rgb;
  hollow: boolean;
  alpha: number;
}

export interface Being {
  x: number; // metres on the chart
  y: number;
  sprite: Sprite;
  heading: number; // radians, from east towards north
  tint: Rgb;
  alpha: number;
  walks: boolean;
  phase: number; // so that a crowd is not in step
}

export interface Scene {
  camera: Camera;
  time_ms: number;
  lights: readonly Light[];
  lights_alpha: number;
  dots: readonly HomeDot[];
  dots_alpha: number;
  beings: readonly Being[]; // painted in this order
}

export class Painter {
  theme: Theme;
  private readonly gl: WebGL2RenderingContext;
  private readonly coasts: { island: Island; coast: Coast }[];
  private readonly sea: Program;
  private readonly land: Program;
  private readonly fill: Program;
  private readonly near: Program;
  private readonly line: Program;
  private readonly light: Program;
  private readonly dot: Program;
  private readonly sprite: Program;
  private readonly full: WebGLVertexArrayObject;
  private readonly triangles: Stream;
  private readonly segments: Stream;
  private readonly lights: Stream;
  private readonly dots: Stream;
  private readonly sprites: Stream;
  private readonly near_texture: WebGLTexture;
  private readonly near_target: WebGLFramebuffer;
  private readonly floats = new Floats();
  private near_size = "";
  private triangle_count = 0;
  private segment_count = 0;
  density = 1; // device pixels per CSS pixel

  constructor(private readonly canvas: HTMLCanvasElement, islands: readonly Island[], theme: Theme) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: true, stencil: true, depth: false, powerPreference: "low-power" });
    if (gl === null) throw new Error("no WebGL2");
    this.gl = gl;
    this.theme = theme;
    this.coasts = islands.map((island) => ({ island, coast: new Coast(island.rings) }));
    this.sea = program(gl, shaders.FULL_VERTEX, shaders.SEA_FRAGMENT);
    this.land = program(gl, shaders.FULL_VERTEX, shaders.LAND_FRAGMENT);
    this.fill = program(gl, shaders.FILL_VERTEX, shaders.FILL_FRAGMENT);
    this.near = program(gl, shaders.SEGMENT_VERTEX, shaders.NEAR_FRAGMENT);
    this.line = program(gl, shaders.SEGMENT_VERTEX, shaders.LINE_FRAGMENT);
    this.light = program(gl, shaders.LIGHT_VERTEX, shaders.LIGHT_FRAGMENT);
    this.dot = program(gl, shaders.DOT_VERTEX, shaders.DOT_FRAGMENT);
    this.sprite = program(gl, shaders.SPRITE_VERTEX, shaders.SPRITE_FRAGMENT);
    this.full = gl.createVertexArray()!;
    this.triangles = stream(gl, 2, [[0, 2, 0]], false);
    this.segments = stream(gl, 4, [[0, 4, 0]], true);
    this.lights = stream(gl, 4, [[0, 4, 0]], true);
    this.dots = stream(gl, 8, [[0, 4, 0], [1, 4, 4]], true);
    this.sprites = stream(gl, 11, [[0, 4, 0], [1, 4, 4], [2, 3, 8]], true);
    this.near_texture = gl.createTexture()!;
    this.near_target = gl.createFramebuffer()!;
    this.atlas();
  }

  resize(width: number, height: number, density: number): void {
    this.density = density;
    this.canvas.width = Math.max(1, Math.round(width * density));
    this.canvas.height = Math.max(1, Math.round(height * density));
  }

  paint(scene: Scene): void {
    const gl = this.gl;
    if (gl.isContextLost()) return;
    const reach = Math.max(REACH_PX, REACH_M * scene.camera.scale);
    this.cut(scene.camera, reach);
    this.paintNear(scene.camera, reach);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.disable(gl.BLEND);
    gl.clearStencil(0);
    gl.clear(gl.STENCIL_BUFFER_BIT);
    this.markLand(scene.camera);
    gl.enable(gl.STENCIL_TEST);
    gl.stencilOp(gl.KEEP, gl.KEEP, gl.KEEP);
    this.paintSea(scene, reach);
    this.paintLand(scene, reach);
    gl.disable(gl.STENCIL_TEST);
    gl.enable(gl.BLEND);
    gl.blendEquation(gl.FUNC_ADD);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.paintCoastLine(scene.camera);
    if (scene.lights_alpha > 0) this.paintLights(scene);
    if (scene.dots_alpha > 0) this.paintDots(scene);
    if (scene.beings.length > 0) this.paintBeings(scene);
  }

  private atlas(): void {
    const gl = this.gl;
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, paintAtlas());
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  }

  // The coast as triangles and segments in CSS pixels of this view.
  private cut(camera: Camera, reach: number): void {
    const seen = grown(camera.window(), CLIP_MARGIN_PX / camera.scale);
    const felt = grown(camera.window(), reach / camera.scale);
    const triangles: number[] = [];
    const segments: number[] = [];
    for (const { island, coast } of this.coasts) {
      if (!boxesMeet(island.box, felt)) continue;
      for (const { ring, points } of coast.at(1 / camera.scale)) {
        if (!boxesMeet(ring.box, felt)) continue;
        const piece = clipped(points, seen);
        for (let i = 0; i < piece.length; i += 2) {
          piece[i] = camera.screenX(piece[i]!);
          piece[i + 1] = camera.screenY(piece[i + 1]!);
        }
        fan(piece, triangles);
        for (let i = 0, j = points.length - 2; i < points.length; j = i, i += 2) {
          const x0 = points[j]!, y0 = points[j + 1]!, x1 = points[i]!, y1 = points[i + 1]!;
          if (!boxesMeet({ x0: Math.min(x0, x1), y0: Math.min(y0, y1), x1: Math.max(x0, x1), y1: Math.max(y0, y1) }, felt)) continue;
          segments.push(camera.screenX(x0), camera.screenY(y0), camera.screenX(x1), camera.screenY(y1));
        }
      }
    }
    this.triangles.fill(Float32Array.from(triangles), triangles.length);
    this.segments.fill(Float32Array.from(segments), segments.length);
    this.triangle_count = triangles.length / 6;
    this.segment_count = segments.length / 4;
  }

  private nearTarget(width: number, height: number): void {
    const gl = this.gl;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.near_target);
    const size = `${width}x${height}`;
    if (size === this.near_size) return;
    this.near_size = size;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.near_texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, width, height, 0, gl.RED, gl.UNSIGNED_BYTE, null);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.near_texture, 0);
  }

  private paintNear(camera: Camera, reach: number): void {
    const gl = this.gl;
    const width = Math.max(1, Math.round(camera.width / NEAR_SHRINK));
    const height = Math.max(1, Math.round(camera.height / NEAR_SHRINK));
    this.nearTarget(width, height);
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (this.segment_count === 0) return;
    gl.enable(gl.BLEND);
    gl.blendEquation(gl.MAX);
    this.near.use();
    gl.uniform2f(this.near.uniform["u_screen"]!, camera.width, camera.height);
    gl.uniform1f(this.near.uniform["u_reach"]!, reach);
    this.segments.draw(gl.TRIANGLE_STRIP, 4, this.segment_count);
  }

  private ground(p: Program, scene: Scene, reach: number, colors: { [uniform: string]: Rgb }): void {
    const gl = this.gl;
    const { camera } = scene;
    const base_x = Math.floor(camera.x / BASE_M) * BASE_M;
    const base_y = Math.floor(camera.y / BASE_M) * BASE_M;
    p.use();
    gl.uniform2f(p.uniform["u_screen"]!, camera.width, camera.height);
    gl.uniform1f(p.uniform["u_density"]!, this.density);
    gl.uniform1f(p.uniform["u_scale"]!, camera.scale);
    gl.uniform2i(p.uniform["u_base"]!, base_x, base_y);
    gl.uniform2f(p.uniform["u_middle"]!, camera.x - base_x, camera.y - base_y);
    gl.uniform1f(p.uniform["u_reach"]!, reach);
    if (p.uniform["u_time"]) gl.uniform1f(p.uniform["u_time"], (scene.time_ms / 1000) % 3600);
    gl.uniform1i(p.uniform["u_near"]!, 0);
    for (const [name, c] of Object.entries(colors)) gl.uniform3f(p.uniform[name]!, c[0], c[1], c[2]);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.near_texture);
    gl.bindVertexArray(this.full);
  }

  private paintSea(scene: Scene, reach: number): void {
    const t = this.theme;
    this.gl.stencilFunc(this.gl.EQUAL, 0, 1);
    this.ground(this.sea, scene, reach, {
      u_deep: t.deep, u_middle_color: t.middle, u_shallow: t.shallow, u_foam: t.foam, u_ink: t.ink,
    });
    const step = GRID_STEPS_M.find((s) => s * scene.camera.scale >= 90) ?? 50000;
    this.gl.uniform1f(this.sea.uniform["u_grid_m"]!, step);
    this.gl.drawArrays(this.gl.TRIANGLES, 0, 3);
  }

  private paintLand(scene: Scene, reach: number): void {
    if (this.triangle_count === 0) return;
    const gl = this.gl;
    const t = this.theme;
    gl.stencilFunc(gl.EQUAL, 1, 1);
    this.ground(this.land, scene, reach, {
      u_land: t.land, u_inland: t.inland, u_meadow: t.meadow, u_meadow_dark: t.meadow_dark, u_sand: t.sand, u_ink: t.ink, u_flower: t.flower,
    });
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  // One bit of the stencil: 1 where there is land.
  private markLand(camera: Camera): void {
    if (this.triangle_count === 0) return;
    const gl = this.gl;
    gl.enable(gl.STENCIL_TEST);
    gl.colorMask(false, false, false, false);
    gl.stencilFunc(gl.ALWAYS, 0, 1);
    gl.stencilOp(gl.KEEP, gl.KEEP, gl.INVERT);
    gl.stencilMask(1);
    this.fill.use();
    gl.uniform2f(this.fill.uniform["u_screen"]!, camera.width, camera.height);
    this.triangles.draw(gl.TRIANGLES, this.triangle_count * 3);
    gl.colorMask(true, true, true, true);
  }

  private paintCoastLine(camera: Camera): void {
    if (this.segment_count === 0) return;
    const gl = this.gl;
    const c = this.theme.coast;
    const alpha = 0.9 - 0.45 * Math.min(1, camera.scale / 4);
    this.line.use();
    gl.uniform2f(this.line.uniform["u_screen"]!, camera.width, camera.height);
    gl.uniform1f(this.line.uniform["u_reach"]!, COAST_PX / 2 + 1);
    gl.uniform1f(this.line.uniform["u_width"]!, COAST_PX);
    gl.uniform4f(this.line.uniform["u_color"]!, c[0], c[1], c[2], alpha);
    this.segments.draw(gl.TRIANGLE_STRIP, 4, this.segment_count);
  }

  private paintLights(scene: Scene): void {
    const gl = this.gl;
    const { camera, lights } = scene;
    this.floats.clear();
    for (const l of lights) {
      const strength = Math.min(1, Math.log2(1 + l.people) / 7);
      const radius = Math.max(10 + 16 * strength, Math.min(l.radius_m * camera.scale * 0.95, 140));
      const x = camera.screenX(l.x);
      const y = camera.screenY(l.y);
      if (x < -radius || y < -radius || x > camera.width + radius || y > camera.height + radius) continue;
      this.floats.push(x, y, radius, strength);
    }
    if (this.floats.length === 0) return;
    this.lights.fill(this.floats.data, this.floats.length);
    this.light.use();
    gl.uniform2f(this.light.uniform["u_screen"]!, camera.width, camera.height);
    gl.uniform1f(this.light.uniform["u_alpha"]!, scene.lights_alpha);
    gl.uniform3fv(this.light.uniform["u_people"]!, this.theme.people);
    gl.uniform3fv(this.light.uniform["u_hot"]!, this.theme.people_hot);
    this.lights.draw(gl.TRIANGLE_STRIP, 4, this.floats.length / 4);
  }

  private paintDots(scene: Scene): void {
    const gl = this.gl;
    const { camera } = scene;
    const radius = Math.min(Math.max(DOT_PX_MIN + camera.scale * 2, DOT_PX_MIN), DOT_PX_MAX);
    this.floats.clear();
    for (const d of scene.dots) {
      const x = camera.screenX(d.x);
      const y = camera.screenY(d.y);
      if (x < -radius || y < -radius || x > camera.width + radius || y > camera.height + radius) continue;
      this.floats.push(x, y, radius, d.hollow ? 1 : 0, d.tint[0], d.tint[1], d.tint[2], d.alpha * scene.dots_alpha);
    }
    if (this.floats.length === 0) return;
    this.dots.fill(this.floats.data, this.floats.length);
    this.dot.use();
    gl.uniform2f(this.dot.uniform["u_screen"]!, camera.width, camera.height);
    this.dots.draw(gl.TRIANGLE_STRIP, 4, this.floats.length / 8);
  }

  private paintBeings(scene: Scene): void {
    const gl = this.gl;
    const { camera } = scene;
    this.floats.clear();
    const smallest = 0.5 + 0.5 * Math.min(1, camera.scale / 4); // from far away even signs are small
    for (const b of scene.beings) {
      const s = b.sprite;
      const size = Math.max(s.metres * camera.scale, s.pixels_min * smallest);
      const x = camera.screenX(b.x);
      const y = camera.screenY(b.y);
      if (x < -size || y < -size || x > camera.width + size || y > camera.height + size) continue;
      const frame = b.walks ? Math.floor(scene.time_ms / STEP_MS + b.phase * 4) & 3 : 0;
      const coat = s.coat + (frame & (s.coat_frames - 1));
      const top = s.top + (frame & (s.top_frames - 1));
      this.floats.push(x, y, size, -b.heading, coat, top, b.alpha, s.shadow, b.tint[0], b.tint[1], b.tint[2]);
    }
    if (this.floats.length === 0) return;
    this.sprites.fill(this.floats.data, this.floats.length);
    this.sprite.use();
    gl.uniform2f(this.sprite.uniform["u_screen"]!, camera.width, camera.height);
    gl.uniform1f(this.sprite.uniform["u_cells"]!, ATLAS_CELLS);
    gl.uniform1i(this.sprite.uniform["u_atlas"]!, 1);
    gl.uniform1f(this.sprite.uniform["u_light"]!, this.theme.light);
    for (const shadow of [1, 0]) {
      gl.uniform1f(this.sprite.uniform["u_shadow"]!, shadow);
      gl.uniform2f(this.sprite.uniform["u_shift"]!, shadow * 0.05, shadow * 0.08);
      this.sprites.draw(gl.TRIANGLE_STRIP, 4, this.floats.length / 11);
    }
  }
}
