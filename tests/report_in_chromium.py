#!/usr/bin/env python3
"""Loads a report.html in headless Chromium, clicks through it and keeps pictures to look at.

    python3 tests/report_in_chromium.py results/quickstart/report.html pictures/

Needs Python 3 and chromedriver (Debian: apt-get install chromium chromium-driver), nothing else; `cargo test` does
without it. Fails on an error in the console, a part that does not draw, a page wider than its window, or text without
the contrast of WCAG AA.
"""
import base64
import json
import pathlib
import subprocess
import sys
import urllib.request

DESKTOP, PHONE = (1280, 900), (390, 844)

# Every text's contrast with the nearest background behind it; images and charts are looked at by eye.
CONTRAST = """
const light = c => { const v = c.map(x => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
  if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
const poor = new Set();
for (const e of document.querySelectorAll('body *')) {
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length || e.disabled) continue;
  if (['SCRIPT', 'STYLE', 'NOSCRIPT', 'OPTION'].includes(e.tagName)) continue;
  const style = getComputedStyle(e), ink = rgb(e.namespaceURI.endsWith('svg') ? style.fill : style.color).slice(0, 3);
  const [a, b] = [light(ink), light(behind(e))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) poor.add(`${e.tagName} ${e.className.baseVal ?? e.className}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
}
return [...poor];
"""


class Browser:
    """A WebDriver session, by its HTTP interface."""

    def __init__(self):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        port = next(line.split()[-1].rstrip(".") for line in self.driver.stdout if "started successfully on port" in line)
        self.root = f"http://127.0.0.1:{port}/session"
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]}
        capabilities = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.root += "/" + self.post("", {"capabilities": {"alwaysMatch": capabilities}})["sessionId"]

    def post(self, path, body):
        request = urllib.request.Request(self.root + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def run(self, script):
        return self.post("/execute/sync", {"script": script, "args": []})

    def devtools(self, command, **parameters):
        return self.post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self.post("/url", {"url": "about:blank"})
        self.post("/url", {"url": url})

    def window(self, size, scheme="light"):
        self.devtools("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path):
        whole = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(whole["data"]))

    def key(self, name):
        codes = {"ArrowLeft": 37, "ArrowRight": 39, "ArrowUp": 38, "ArrowDown": 40}
        for kind in ("keyDown", "keyUp"):
            self.devtools("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=codes[name])

    def errors(self):
        return [entry["message"] for entry in self.post("/se/log", {"type": "browser"}) if entry["level"] in ("SEVERE", "WARNING")]

    def close(self):
        urllib.request.urlopen(urllib.request.Request(self.root, method="DELETE"), timeout=60)
        self.driver.terminate()


def check(fact, said):
    if not fact:
        raise SystemExit(f"failed: {said}")
    print("ok  ", said)


def look(browser, said, out, name):
    """What must hold of every state of the page, and its picture."""
    wide = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
    check(wide[0] <= wide[1], f"{said}: {wide[0]} px of content in {wide[1]} px")
    poor = browser.run(CONTRAST)
    check(not poor, f"{said}: contrast {poor or 'is 4.5 or more'}")
    broken = browser.run("return [...document.images].filter(i => i.complete && !i.naturalWidth).length")
    check(broken == 0, f"{said}: no broken image")
    nameless = browser.run(
        "return [...document.querySelectorAll('img:not([alt]), button, select, input, a')].filter(e => e.tagName === 'IMG' || "
        "!(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).length")
    check(nameless == 0, f"{said}: everything has a name")
    browser.picture(out / f"{name}.png")


def main(page, out):
    out.mkdir(parents=True, exist_ok=True)
    url = page.resolve().as_uri()
    browser = Browser()
    try:
        for scheme, size, device in [("light", DESKTOP, "desktop"), ("light", PHONE, "phone"), ("dark", DESKTOP, "dark")]:
            browser.window(size, scheme)
            browser.open(url)
            look(browser, f"{device}, all", out, device)
            browser.run("location.hash = document.querySelector('#concepts-body a').hash")
            browser.run("return new Promise(done => setTimeout(done, 100))")
            check(browser.run("return !document.getElementById('concept').hidden"), f"{device}: a concept opens")
            look(browser, f"{device}, concept", out, f"{device}-concept")
        browser.window(DESKTOP)
        browser.open(url)
        before = browser.run("document.querySelector('#curves svg').focus(); return document.getElementById('readout').textContent")
        browser.key("ArrowLeft")
        after = browser.run("return document.getElementById('readout').textContent")
        check(before != after and "accuracy" in after, f"an arrow key reads out: {after}")
        check(browser.run("return document.activeElement.closest('#curves') !== null"), "and the chart keeps the focus")
        rows = "return [...document.querySelectorAll('#concepts-body tbody tr')].map(r => r.textContent)"
        first = browser.run(rows)
        browser.run("document.querySelector('[data-sort=accuracy]').click()")
        check(browser.run(rows)[0] != first[0], "concepts sort the other way")
        browser.run("const f = document.getElementById('find'); f.value = 'zzz'; f.dispatchEvent(new Event('input'))")
        check(browser.run(rows) == [], "and are found by name")
        browser.run("const s = document.querySelector('#choice select'); s.selectedIndex = 0; s.dispatchEvent(new Event('change'))")
        check(browser.run("return location.hash").count("layer=") == 1, "a chosen layer is in the address")
        requests = browser.run("return performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length")
        check(requests == 0, "nothing is loaded")
        browser.open(url)
        pdf = browser.post("/print", {"page": {"width": 21.0, "height": 29.7}})
        (out / "print.pdf").write_bytes(base64.b64decode(pdf))
        errors = browser.errors()
        check(not errors, f"the console is silent {errors}")
        browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
        browser.open(url)
        browser.picture(out / "without-javascript.png")
    finally:
        browser.close()
    print(f"{page.stat().st_size:,} bytes; look at the pictures in {out}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
