/** A QR code as the path of an SVG: one square for each dark module, made here so that no third party sees the text. */
import encodeQR from 'qr';

export interface QrCode {
  /** Width and height, with the quiet zone of four modules (ISO/IEC 18004). */
  size: number;
  path: string;
}

const QUIET = 4;

export function qrCode(text: string): QrCode {
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: QUIET });
  const squares = rows.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])));
  return { size: rows.length, path: squares.join('') };
}
