export async function writeGenerated(_r: string): Promise<string[]> {
  return [];
}
