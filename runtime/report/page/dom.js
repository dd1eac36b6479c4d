// Making elements. Text only ever becomes text nodes: what a name says is never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element: `make("p", {class: "x", onclick: f}, "text", child)`. */
function make(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same of SVG. */
function draw(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  put(element, children);
  return element;
}

function put(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Puts new children in the place of the old ones. */
function fill(element, ...children) {
  element.textContent = "";
  put(element, children);
  return element;
}

const byId = (id) => document.getElementById(id);

/** A button that looks like a link. */
function link(text, onclick, attributes) {
  return make("button", { type: "button", class: "link", onclick, ...attributes }, text);
}

/** Moves among elements of which one at a time is reached by Tab, as in a list or a row of tabs. */
function roving(elements, event, { back = "ArrowLeft", on = "ArrowRight" } = {}) {
  const at = elements.indexOf(document.activeElement);
  const to = { [back]: at - 1, [on]: at + 1, Home: 0, End: elements.length - 1 }[event.key];
  if (to === undefined || at < 0) return null;
  const next = elements[(to + elements.length) % elements.length];
  event.preventDefault();
  event.stopPropagation();
  for (const e of elements) e.setAttribute("tabindex", e === next ? "0" : "-1");
  next.focus();
  return next;
}

const ruler = document.createElement("canvas").getContext("2d");
const measured = new Map();

/** The text cut to so many pixels in a font of the page, with an ellipsis where it is cut. */
function fitted(text, width, font = "600 12px system-ui, sans-serif") {
  const key = font + width + "\n" + text;
  if (measured.has(key)) return measured.get(key);
  ruler.font = font;
  let result = text;
  if (ruler.measureText(text).width > width) {
    let low = 0;
    let high = text.length;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (ruler.measureText(text.slice(0, middle) + "…").width <= width) low = middle;
      else high = middle - 1;
    }
    result = text.slice(0, low) + "…";
  }
  measured.set(key, result);
  return result;
}

/** A picture that is drawn anew for each size that it is shown in, so that its text stays legible. */
function sized(picture, drawn = () => {}) {
  const box = make("div", { class: "sized" }, picture(1000, 190));
  new ResizeObserver(([{ contentRect }]) => {
    const [width, height] = [Math.round(contentRect.width), Math.round(contentRect.height)];
    if (width < 100 || height < 60) return;
    fill(box, picture(width, height));
    drawn();
  }).observe(box);
  return box;
}
