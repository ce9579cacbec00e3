/// Rows under each other: every column but the last as wide as its longest cell and the padding, or the least width.
func alignedColumns(
    _ rows: [[String]], indentation: Int = 0, minimumWidth: Int = 0, padding: Int
) -> String {
    let count = rows.map { $0.count }.max() ?? 0
    let widths = (0..<count).map { column in
        rows.reduce(minimumWidth) { width, row in
            column < row.count ? max(width, row[column].count + padding) : width
        }
    }
    var text = ""
    for row in rows {
        text += String(repeating: " ", count: indentation)
        for (column, cell) in row.enumerated() {
            text += cell
            if column < row.count - 1 { text += String(repeating: " ", count: widths[column] - cell.count) }
        }
        text += "\n"
    }
    return text
}
