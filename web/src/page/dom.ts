// Small hands for making elements. Text is only ever textContent: most of it was written by people.

export interface Props {
  class?: string;
  key?: string;      // the same thing after a new rendering: keeps the focus
  label?: string;    // accessible name, where the text alone does not say it
  pressed?: boolean;
  off?: boolean;     // cannot be pressed now
  press?: () => void;
}

export function make(tag: string, props: Props, ...children: (Node | string)[]): HTMLElement {
  const e = document.createElement(tag);
  if (props.class !== undefined) e.className = props.class;
  if (props.key !== undefined) e.dataset["key"] = props.key;
  if (props.label !== undefined) e.setAttribute("aria-label", props.label);
  if (props.pressed !== undefined) e.setAttribute("aria-pressed", String(props.pressed));
  e.append(...children);
  return e;
}

// A button that keeps the focus while it cannot be pressed.
export function button(props: Props, ...children: (Node | string)[]): HTMLElement {
  const b = make("button", props, ...children) as HTMLButtonElement;
  b.type = "button";
  if (props.off) b.setAttribute("aria-disabled", "true");
  else if (props.press !== undefined) b.onclick = props.press;
  return b;
}

// Puts new children in; whatever had the focus has it again, by its key.
export function refill(root: HTMLElement, children: (Node | string)[]): void {
  const active = document.activeElement;
  const key = active instanceof HTMLElement && root.contains(active) ? active.dataset["key"] : undefined;
  const caret = active instanceof HTMLInputElement && active.type === "text" ? active.selectionStart : null;
  const scrolled = root.scrollTop;
  root.replaceChildren(...children);
  root.scrollTop = scrolled;
  if (key === undefined) return;
  const again = [...root.querySelectorAll<HTMLElement>("[data-key]")].find((e) => e.dataset["key"] === key);
  again?.focus({ preventScroll: true });
  if (again instanceof HTMLInputElement && caret !== null) again.setSelectionRange(caret, caret);
}
