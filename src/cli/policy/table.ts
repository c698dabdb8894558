/** Columns for people: as wide as their widest cell, two spaces apart. */

/** How to draw a table. Columns are left-aligned unless named in `right`. */
export type TableOptions = { readonly indent?: number; readonly right?: readonly number[] }

/** The lines of a table. The last column is not padded. */
export function table(
  rows: readonly (readonly string[])[],
  { indent = 0, right = [] }: TableOptions = {},
): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length)
    }
  }
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0
      return right.includes(column) ? cell.padStart(width) : cell.padEnd(width)
    })
    return `${' '.repeat(indent)}${cells.join('  ')}`.trimEnd()
  })
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

/** Colours a text on a terminal that shows colours; elsewhere nothing happens. */
export type Paint = (style: keyof typeof STYLES, text: string) => string

/** The paint of a terminal. */
export function painter({ colour }: { readonly colour: boolean }): Paint {
  return (style, text) => (colour ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text)
}

/** A number as people read it: `100,000`. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US')
}

/** `1 request`, `2 requests`. */
export function plural(value: number, noun: string): string {
  return `${grouped(value)} ${noun}${value === 1 ? '' : 's'}`
}
