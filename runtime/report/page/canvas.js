// A picture that is moved and zoomed: by wheel, by dragging, and so that something comes into view.

class Canvas {
  constructor(id) {
    this.id = id;
    // `own` is a view that the user has chosen: it stays when the page is resized.
    this.view = { x: 0, y: 0, k: 1, own: false };
    this.scene = draw("g", { role: "presentation" });
    this.root = draw(
      "svg",
      {
        class: "graph",
        tabindex: "0",
        role: "tree",
        id,
        "aria-keyshortcuts": "ArrowUp ArrowDown ArrowLeft ArrowRight Enter",
      },
      this.scene,
    );
    this.root.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    this.root.addEventListener("pointerdown", (e) => this.grab(e));
    new ResizeObserver(([{ contentRect }]) => {
      if (!contentRect.width) return; // it is not shown
      this.extent = contentRect;
      if (!this.view.own) this.fit(true);
    }).observe(this.root);
  }

  /** As last observed: to ask an element that was just filled would have all laid out at once. */
  size() {
    return (
      this.extent || { width: this.root.clientWidth || 800, height: this.root.clientHeight || 500 }
    );
  }

  move() {
    if (this.root.hasAttribute("viewBox")) return; // it is being printed, as a whole
    const { x, y, k } = this.view;
    this.scene.setAttribute(
      "transform",
      `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${k.toFixed(4)})`,
    );
  }

  /** A view that the user chose. */
  choose(view) {
    this.view = { ...this.view, ...view, own: true };
    this.move();
  }

  /** The whole graph; at first never so small that it cannot be read. */
  fit(legible) {
    if (!this.layout) return;
    const { width, height } = this.size();
    const { size } = this.layout;
    const whole = Math.min((width - 24) / size.width, (height - 16) / size.height, 1.25);
    const k = legible
      ? Math.max(whole, Math.min(0.8, Math.max(0.64, (width - 24) / size.width)))
      : whole;
    this.view = { k, x: Math.max(12, (width - k * size.width) / 2), y: 8, own: false };
    if (legible) this.move();
    else this.choose({});
  }

  zoom(factor, at = { x: this.size().width / 2, y: this.size().height / 2 }) {
    const k = Math.min(4, Math.max(0.08, factor === 0 ? 1 : this.view.k * factor));
    const by = k / this.view.k;
    this.choose({ k, x: at.x - by * (at.x - this.view.x), y: at.y - by * (at.y - this.view.y) });
  }

  /** Moves what is out of sight into the middle, in that direction alone. */
  reveal(place) {
    const { width, height } = this.size();
    const { x, y, k } = this.view;
    const shown = (from, length, all) => from > 10 && from + k * length < all - 10;
    const middle = (from, length, all) => all / 2 - k * (from + length / 2);
    this.view = {
      ...this.view,
      x: shown(x + k * place.x, place.width, width) ? x : middle(place.x, place.width, width),
      y: shown(y + k * place.y, place.height, height) ? y : middle(place.y, place.height, height),
    };
    this.move();
  }

  wheel(event) {
    event.preventDefault();
    const box = this.root.getBoundingClientRect();
    if (event.shiftKey) {
      return this.choose({ x: this.view.x - (event.deltaX || event.deltaY) });
    }
    const lines = event.deltaMode === 1 ? 20 : 1;
    this.zoom(Math.exp(-0.0015 * lines * event.deltaY), {
      x: event.clientX - box.left,
      y: event.clientY - box.top,
    });
    return undefined;
  }

  grab(event) {
    if (event.button !== 0) return;
    const start = { x: event.clientX - this.view.x, y: event.clientY - this.view.y };
    this.dragged = false;
    const drag = (e) => {
      const [x, y] = [e.clientX - start.x, e.clientY - start.y];
      if (!this.dragged && Math.hypot(x - this.view.x, y - this.view.y) < 4) return;
      this.dragged = true;
      this.root.classList.add("dragging");
      this.choose({ x, y });
    };
    const drop = () => {
      this.root.classList.remove("dragging");
      window.removeEventListener("pointermove", drag);
      window.removeEventListener("pointerup", drop);
    };
    window.addEventListener("pointermove", drag);
    window.addEventListener("pointerup", drop);
  }
}
