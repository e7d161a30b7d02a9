// Compiles every WGSL file of a directory with Tint, the compiler of Chrome and Dawn, without a GPU.
//
//   semgpu bench --shaders DIRECTORY
//   npm install --prefix PACKAGES webgpu
//   node tests/shaders_in_tint.mjs PACKAGES DIRECTORY
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [packages, directory] = process.argv.slice(2);
if (!directory) {
    console.error('usage: node tests/shaders_in_tint.mjs PACKAGES DIRECTORY');
    process.exit(2);
}
const dawn = createRequire(join(resolve(packages), 'package.json')).resolve('webgpu');
const { create, globals } = await import(pathToFileURL(dawn));

Object.assign(globalThis, globals);
const gpu = create(['backend=null']); // has to outlive its device
const adapter = await gpu.requestAdapter();
const device = await adapter.requestDevice();
const names = readdirSync(directory).filter((name) => name.endsWith('.wgsl'));
let [passed, failed] = [0, 0];
for (const name of names) {
    const module = device.createShaderModule({ code: readFileSync(join(directory, name), 'utf8') });
    const { messages } = await module.getCompilationInfo();
    const errors = messages.filter((message) => message.type === 'error');
    for (const { lineNum, linePos, message } of errors) {
        console.error(`${name}:${lineNum}:${linePos}: ${message}`);
    }
    errors.length === 0 ? passed++ : failed++;
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
