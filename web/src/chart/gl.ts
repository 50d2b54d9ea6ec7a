// Thin helpers over WebGL2. Errors in shaders are our own bugs and are thrown.

export type Uniforms = { [name: string]: WebGLUniformLocation };

export interface Program {
  use(): void;
  uniform: Uniforms;
}

function compile(gl: WebGL2RenderingContext, type: number, source: string): WebGLShader {
  const shader = gl.createShader(type)!;
  gl.shaderSource(shader, `#version 300 es\nprecision highp float;\nprecision highp int;\n${source}`);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
    throw new Error(gl.getShaderInfoLog(shader) ?? "shader does not compile");
  }
  return shader;
}

export function program(gl: WebGL2RenderingContext, vertex: string, fragment: string): Program {
  const p = gl.createProgram()!;
  gl.attachShader(p, compile(gl, gl.VERTEX_SHADER, vertex));
  gl.attachShader(p, compile(gl, gl.FRAGMENT_SHADER, fragment));
  gl.linkProgram(p);
  if (!gl.getProgramParameter(p, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(gl.getProgramInfoLog(p) ?? "program does not link");
  }
  const uniform: Uniforms = {};
  const count = (gl.getProgramParameter(p, gl.ACTIVE_UNIFORMS) as number | null) ?? 0;
  for (let i = 0; i < count; i++) {
    const name = gl.getActiveUniform(p, i)!.name;
    uniform[name] = gl.getUniformLocation(p, name)!;
  }
  return { use: () => gl.useProgram(p), uniform };
}

// Attributes of one vertex array over one streaming buffer: [location, floats, offset in floats].
export interface Stream {
  draw(mode: number, vertices: number, instances?: number): void;
  fill(data: Float32Array, floats: number): void;
}

export function stream(gl: WebGL2RenderingContext, stride: number, attributes: [number, number, number][], instanced: boolean): Stream {
  const array = gl.createVertexArray()!;
  const buffer = gl.createBuffer()!;
  let capacity = 0;
  gl.bindVertexArray(array);
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  for (const [location, floats, offset] of attributes) {
    gl.enableVertexAttribArray(location);
    gl.vertexAttribPointer(location, floats, gl.FLOAT, false, stride * 4, offset * 4);
    if (instanced) gl.vertexAttribDivisor(location, 1);
  }
  gl.bindVertexArray(null);
  return {
    fill(data, floats) {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      if (floats > capacity) {
        capacity = Math.max(floats, capacity * 2, 1024);
        gl.bufferData(gl.ARRAY_BUFFER, capacity * 4, gl.DYNAMIC_DRAW);
      }
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, data, 0, floats);
    },
    draw(mode, vertices, instances) {
      gl.bindVertexArray(array);
      if (instances === undefined) gl.drawArrays(mode, 0, vertices);
      else gl.drawArraysInstanced(mode, 0, vertices, instances);
    },
  };
}

// A growing list of floats that is handed to a stream once a frame.
export class Floats {
  data = new Float32Array(4096);
  length = 0;

  clear(): void {
    this.length = 0;
  }

  push(...values: number[]): void {
    if (this.length + values.length > this.data.length) {
      const larger = new Float32Array(this.data.length * 2);
      larger.set(this.data);
      this.data = larger;
    }
    this.data.set(values, this.length);
    this.length += values.length;
  }
}
