/** TypeScript as pieces: code, texts and comments apart, so that a rule about code does not stumble over words. */

export interface Piece {
  /** `text` stands in quotes, `template` in backticks. */
  kind: 'code' | 'text' | 'template' | 'comment' | 'pattern';
  text: string;
}

const QUOTED: Record<string, RegExp> = { "'": /'(?:\\.|[^'\\\n])*'/y, '"': /"(?:\\.|[^"\\\n])*"/y };
/** A slash after one of these begins a regular expression; after anything else it divides. */
const BEFORE_PATTERN = /(?:^|[(,=:[!&|?{};+\n>]|\b(?:return|typeof|case|of|in))\s*$/;

/** Splits a source. Texts come without their quotes; what stands in `${…}` of a template is code again. */
export function pieces(source: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  let code = '';
  const take = (kind: Piece['kind'], text: string) => {
    if (code) found.push({ kind: 'code', text: code });
    code = '';
    found.push({ kind, text });
  };

  function until(end: RegExp): string {
    end.lastIndex = at;
    const from = at;
    at = end.test(source) ? end.lastIndex : source.length;
    return source.slice(from, at);
  }

  function template(): void {
    at += 1;
    let text = '';
    while (at < source.length && source[at] !== '`') {
      if (source.startsWith('${', at)) {
        take('template', text);
        text = '';
        at += 2;
        scan('}');
        at += 1;
      } else {
        const length = source[at] === '\\' ? 2 : 1;
        text += source.slice(at, at + length);
        at += length;
      }
    }
    at += 1;
    take('template', text);
  }

  function scan(end: string): void {
    let depth = 0;
    while (at < source.length) {
      const char = source[at] as string;
      if (char === end && depth === 0) return;
      if (source.startsWith('//', at)) take('comment', until(/(?=\n)|$/g));
      else if (source.startsWith('/*', at)) take('comment', until(/\*\//g));
      else if (char === '`') template();
      else if (QUOTED[char]) take('text', until(QUOTED[char]).slice(1, -1));
      else if (char === '/' && BEFORE_PATTERN.test(code || (found.at(-1)?.kind === 'comment' ? '\n' : ')'))) {
        take('pattern', until(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/gy));
      } else {
        if (char === '{') depth += 1;
        if (char === '}') depth -= 1;
        code += char;
        at += 1;
      }
    }
  }

  scan('');
  if (code) found.push({ kind: 'code', text: code });
  return found;
}

/** Everything that is imported or exported from elsewhere, types too, also by `import(…)`. */
export function importsOf(source: string): string[] {
  return pieces(source).flatMap(({ kind, text }, index, all) => {
    const before = all[index - 1];
    const imports = kind === 'text' && before?.kind === 'code' && /\bfrom\s*$|\bimport\s*\(?\s*$/.test(before.text);
    return imports ? [text] : [];
  });
}
