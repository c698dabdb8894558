/** How a story is laid out on a terminal, and the count of what it promised. */

import type { Terminal } from './command.ts'

/** A page to write on. `expect` prints a promise with whether it held. */
export type Page = {
  title(text: string): void
  chapter(number: string, text: string): void
  fact(name: string, value: string): void
  refusal(title: string): void
  quote(name: string, lines: readonly string[]): void
  expect(promise: string, holds: () => boolean): void
  tally(): { readonly held: number; readonly failed: number }
}

const NAME_WIDTH = 10

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, cyan: 36 } as const

/** Starts a page. */
export function page(terminal: Pick<Terminal, 'out' | 'colour'>): Page {
  let held = 0
  let failed = 0
  const paint = (style: keyof typeof STYLES, text: string) =>
    terminal.colour ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text
  const named = (name: string, value: string) =>
    terminal.out(`   ${paint('dim', name.padEnd(NAME_WIDTH))} ${value}`)

  return {
    title(text) {
      terminal.out(paint('bold', text))
    },
    chapter(number, text) {
      terminal.out('')
      terminal.out(`${paint('cyan', number)}  ${paint('bold', text)}`)
    },
    fact: named,
    refusal(title) {
      terminal.out('')
      terminal.out(`   ${paint('bold', title)}`)
    },
    quote(name, lines) {
      named(name, lines[0] ?? '')
      for (const line of lines.slice(1)) named('', line)
    },
    expect(promise, holds) {
      const holding = holds()
      if (holding) held += 1
      else failed += 1
      terminal.out(`   ${holding ? paint('green', '✓') : paint('red', '✗ NOT SO:')} ${promise}`)
    },
    tally: () => ({ held, failed }),
  }
}
