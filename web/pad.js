// The drawing area: a soft white brush on black, by mouse, finger, pen or keyboard.

import { framed } from "./framing.js";

const BRUSH = 24;
const KEY_STEP = 7;
const CENTRE = { x: 0.5, y: 0.5, down: false };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Pad {
  #canvas;
  #ink; // what is drawn; the canvas also shows the keyboard's pen
  #size;
  #changed;
  #pen = null; // {x, y, down}, while the keyboard is in use
  #strokes = new Map(); // last point of every pointer that is down
  #pixels = null; // of a test digit that has not been drawn on

  // changed(done): called after every change; done is false while a stroke goes on.
  constructor(canvas, changed) {
    this.#canvas = canvas;
    this.#size = canvas.width;
    this.#changed = changed;
    this.#ink = document.createElement("canvas");
    this.#ink.width = this.#ink.height = this.#size;
    canvas.addEventListener("pointerdown", (event) => this.#start(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.#stop(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => {
      if (canvas.matches(":focus-visible")) this.#pen = { ...CENTRE };
      this.#show();
    });
    canvas.addEventListener("blur", () => {
      this.#pen = null;
      this.#show();
    });
    this.#erase();
  }

  // What the model sees: Float32Array of 28 × 28 in [0, 1].
  pixels() {
    if (this.#pixels) return this.#pixels;
    const { data } = this.#context().getImageData(0, 0, this.#size, this.#size);
    const ink = new Float32Array(this.#size ** 2);
    for (let index = 0; index < ink.length; index++) ink[index] = data[4 * index] / 255;
    return framed(ink, this.#size, this.#size);
  }

  // Whether nothing is drawn.
  get blank() {
    return !this.pixels().some((pixel) => pixel > 0);
  }

  clear() {
    this.#erase();
    this.#changed(true);
  }

  // Take a digit of 28 × 28 as it is, until somebody draws on it.
  put(pixels, picture) {
    this.#erase();
    this.#context().drawImage(picture, 0, 0, this.#size, this.#size);
    this.#pixels = pixels;
    this.#show();
    this.#changed(true);
  }

  // Draw lines: a list of strokes, each a list of [x, y] in [0, 1].
  draw(strokes) {
    this.#erase();
    for (const points of strokes) {
      points.forEach((point, index) => this.#line(points[Math.max(0, index - 1)], point));
    }
    this.#show();
    this.#changed(true);
  }

  #context() {
    return this.#ink.getContext("2d", { willReadFrequently: true });
  }

  #erase() {
    const context = this.#context();
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.#size, this.#size);
    this.#pixels = null;
    this.#show();
  }

  // Points in [0, 1]; two equal ones make a dot.
  #line([fromX, fromY], [toX, toY]) {
    const context = this.#context();
    this.#pixels = null;
    Object.assign(context, { lineCap: "round", strokeStyle: "#fff", lineWidth: BRUSH, shadowColor: "#fff", shadowBlur: 4 });
    context.beginPath();
    context.moveTo(fromX * this.#size, fromY * this.#size);
    context.lineTo(toX * this.#size + 0.01, toY * this.#size);
    context.stroke();
    context.shadowBlur = 0;
  }

  #show() {
    const context = this.#canvas.getContext("2d");
    context.drawImage(this.#ink, 0, 0);
    if (!this.#pen) return;
    const { x, y, down } = this.#pen;
    context.beginPath();
    context.arc(x * this.#size, y * this.#size, BRUSH / 2, 0, 2 * Math.PI);
    context.lineWidth = 3;
    context.strokeStyle = down ? "#f59e0b" : "#2dd4bf";
    context.stroke();
  }

  #at(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  #start(event) {
    if (event.button !== 0) return;
    event.preventDefault(); // selects no text
    this.#canvas.focus({ preventScroll: true });
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pen = null;
    const point = this.#at(event);
    this.#strokes.set(event.pointerId, point);
    this.#line(point, point);
    this.#show();
    this.#changed(false);
  }

  #move(event) {
    let last = this.#strokes.get(event.pointerId);
    if (!last) return;
    const between = event.getCoalescedEvents?.() ?? [];
    for (const part of between.length ? between : [event]) {
      const point = this.#at(part);
      this.#line(last, point);
      last = point;
    }
    this.#strokes.set(event.pointerId, last);
    this.#show();
    this.#changed(false);
  }

  #stop(event) {
    if (this.#strokes.delete(event.pointerId)) this.#changed(true);
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in ARROWS) {
      this.#movePen(...ARROWS[event.key]);
    } else if (event.key === " ") {
      this.#pen ??= { ...CENTRE };
      this.#pen.down = !this.#pen.down;
      if (this.#pen.down) this.#line([this.#pen.x, this.#pen.y], [this.#pen.x, this.#pen.y]);
      this.#changed(true);
    } else if (event.key === "Backspace" || event.key === "Delete") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault(); // the page does not scroll
    this.#show();
  }

  #movePen(right, down) {
    this.#pen ??= { ...CENTRE };
    const within = (value) => Math.min(1, Math.max(0, value));
    const from = [this.#pen.x, this.#pen.y];
    this.#pen.x = within(this.#pen.x + (right * KEY_STEP) / this.#size);
    this.#pen.y = within(this.#pen.y + (down * KEY_STEP) / this.#size);
    if (!this.#pen.down) return;
    this.#line(from, [this.#pen.x, this.#pen.y]);
    this.#changed(false);
  }
}
