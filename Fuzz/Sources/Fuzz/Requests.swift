import OCI

extension Target {
    /// What clients of the microVM's API send. Its source is the program's own: scripts/fuzz links it
    /// here, since an executable is no library.
    static let requests = [
        Target("http") { bytes in
            // The first byte says how the rest is cut.
            let stream = bytes.dropFirst()
            let size = max(1, Int(bytes.first ?? 0))
            let whole = read(stream, size: max(1, stream.count))
            let cut = read(stream, size: size)
            require(whole.events == cut.events && whole.fault == cut.fault, "cut, a stream means something else")
            if whole.fault == nil, whole.isComplete {
                let twice = read(stream + stream, size: size)
                require(twice.events == whole.events + whole.events, "again, a stream means something else")
            }
            for case .request(let request) in whole.events {
                require(request.body?.count ?? 1 <= bodyLimit, "a body beyond the limit")
                do throws(Fault) { _ = try Route(request) } catch {
                    require(!error.message.isEmpty, "a refusal without a reason")
                }
            }
        },
        Target("request") { bytes in
            let paths = [
                "/actions", "/boot-source", "/machine-config", "/drives/a", "/network-interfaces/a", "/pmem/a",
                "/vsock",
                "/balloon",
                "/entropy", "/serial", "/logger", "/metrics", "/snapshot/create", "/snapshot/load", "/vm",
                "/balloon/statistics", "/balloon/hinting/start", "/mmds", "/mmds/config",
            ]
            for path in paths {
                for method in [HTTPRequest.Method.put, .patch] {
                    guard let route = try? Route(HTTPRequest(method, path, body: bytes)) else { continue }
                    // What was accepted of a device is told and accepted again.
                    if case .setDrive(let drive) = route.action {
                        roundTrip(
                            drive.json.encodedBytes(), read: { try Drive(JSON(parsing: $0)) },
                            write: { $0.json.encodedBytes() })
                    }
                }
            }
        },
    ]

    private static let bodyLimit = 1000

    private static func read(
        _ stream: ArraySlice<UInt8>, size: Int
    ) -> (events: [RequestParser.Event], fault: HTTPFault?, isComplete: Bool) {
        var parser = RequestParser(bodyLimit: bodyLimit)
        var events: [RequestParser.Event] = []
        var rest = stream
        do throws(HTTPFault) {
            while !rest.isEmpty {
                parser.take(rest.prefix(size))
                rest = rest.dropFirst(size)
                while let event = try parser.next() {
                    // Whether a client has to be asked for a body depends on how much of it is there.
                    if event != .wantsContinue { events.append(event) }
                }
            }
        } catch { return (events, error, false) }
        return (events, nil, !parser.isInside)
    }
}
