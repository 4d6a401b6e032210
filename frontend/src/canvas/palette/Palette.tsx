import { Combobox, FocusTrap, Portal, TextInput, useCombobox } from "@mantine/core";
import { useClickOutside, useHotkeys } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import { KINDS } from "../nodes";
import classes from "./Palette.module.css";

/** What a dragged option carries. */
export const STEP_TYPE = "application/x-agentainer-step";

interface Props {
  /** Where its upper left corner goes, in the window's coordinates. */
  at: { x: number; y: number };
  onPick: (type: string) => void;
  onClose: () => void;
}

const SIZE = { width: 320, height: 540 };

/** The list of step types: choose one, or drag it onto the canvas. */
export function Palette({ at, onPick, onClose }: Props) {
  const [typed, setTyped] = useState("");
  const inside = useClickOutside(onClose);
  const combobox = useCombobox({ opened: true });
  useHotkeys([["Escape", onClose]], []);
  const wanted = typed.trim().toLowerCase();
  const found = KINDS.filter(({ word, about }) => `${word} ${about}`.toLowerCase().includes(wanted));
  const left = Math.max(8, Math.min(at.x, window.innerWidth - SIZE.width - 8));
  const top = Math.max(8, Math.min(at.y, window.innerHeight - SIZE.height - 8));
  return (
    <Portal>
      <section
        ref={inside}
        aria-label="Palette"
        className={classes.palette}
        style={{ left, top, width: Math.min(SIZE.width, window.innerWidth - 16) }}
        data-af-palette
      >
        <FocusTrap active>
          <div>
            <Combobox store={combobox} onOptionSubmit={onPick}>
              <Combobox.EventsTarget withAriaAttributes>
                <TextInput
                  data-autofocus
                  variant="unstyled"
                  className={classes.search}
                  aria-label="Find a step type"
                  placeholder="Find a step type"
                  leftSection={<IconSearch size={16} aria-hidden />}
                  value={typed}
                  onChange={(event) => {
                    setTyped(event.currentTarget.value);
                    combobox.resetSelectedOption();
                  }}
                />
              </Combobox.EventsTarget>
              <Combobox.Options aria-label="Step types" className={classes.options}>
                {found.map(({ type, word, icon: Icon, hue, about }) => (
                  <Combobox.Option
                    key={type}
                    value={type}
                    className={classes.option}
                    aria-label={word}
                    aria-describedby={`about-${type}`}
                  >
                    <div
                      className={classes.drag}
                      draggable
                      // The option keeps the mouse from moving the focus, and with it from dragging.
                      onMouseDown={(event) => event.stopPropagation()}
                      onDragStart={(event) => {
                        event.dataTransfer.setData(STEP_TYPE, type);
                        event.dataTransfer.effectAllowed = "copy";
                      }}
                    >
                      <span className={classes.icon} style={{ "--hue": `var(--af-${hue})` }}>
                        <Icon size={18} stroke={1.8} aria-hidden />
                      </span>
                      <span>
                        <span className={classes.word}>{word}</span>{" "}
                        <span id={`about-${type}`} className={classes.about}>
                          {about}
                        </span>
                      </span>
                    </div>
                  </Combobox.Option>
                ))}
                {found.length === 0 && <Combobox.Empty>No step type is called that.</Combobox.Empty>}
              </Combobox.Options>
            </Combobox>
          </div>
        </FocusTrap>
        <p className={classes.foot}>Choose one, or drag it onto the canvas.</p>
      </section>
    </Portal>
  );
}
