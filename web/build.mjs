// Bundles the page, or the pure modules for the tests.  node build.mjs page|modules OUT_DIR
// Everything that a browser loads is named by its hash, so that it can be kept for ever; index.html names them.

import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
// The build proper installs esbuild beside its output, not in the source tree: SEOM_WEB_MODULES says where.
const require = createRequire(join(process.env.SEOM_WEB_MODULES ?? here, "package.json"));
const { build } = require("esbuild");
const shared = { absWorkingDir: here, bundle: true, write: false, logLevel: "warning", charset: "utf8", legalComments: "none" };

const hash8 = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 8);

async function bundlePage(out) {
  const result = await build({
    ...shared, entryPoints: { page: "src/main.ts", style: "src/style.css" }, outdir: out, format: "esm", minify: true,
    target: ["es2021", "chrome90", "firefox90", "safari15"], loader: { ".glsl": "text" },
  });
  let html = await readFile(join(here, "src/index.html"), "utf8");
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  for (const file of result.outputFiles) {
    const [stem, extension] = file.path.split("/").pop().split(".");
    const name = `${stem}-${hash8(file.contents)}.${extension}`;
    html = html.replaceAll(`/${stem}.${extension}`, `/${name}`);
    await writeFile(join(out, name), file.contents);
  }
  await writeFile(join(out, "index.html"), html);
}

async function bundleModules(out) {
  await mkdir(out, { recursive: true });
  const result = await build({ ...shared, entryPoints: { modules: "src/modules.ts" }, outdir: out, outExtension: { ".js": ".mjs" }, format: "esm", target: "node18" });
  for (const file of result.outputFiles) await writeFile(file.path, file.contents);
}

const [what, out] = process.argv.slice(2);
if (out === undefined || (what !== "page" && what !== "modules")) {
  console.error("usage: node build.mjs page|modules OUT_DIR");
  process.exit(2);
}
await (what === "page" ? bundlePage : bundleModules)(resolve(out));
