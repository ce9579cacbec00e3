import Testing

@testable import bulkhead_vm

/// What requests ask for, and what is said to those that ask for nothing.
@Suite struct RouteTests {
    private func message(
        _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil
    ) -> String? {
        do throws(Fault) {
            _ = try Route(HTTPRequest(method, path, body: body.map { Array($0.utf8) }))
            return nil
        } catch { return error.message }
    }

    private func action(
        _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil
    ) throws -> Action {
        try Route(HTTPRequest(method, path, body: body.map { Array($0.utf8) })).action
    }

    @Test func pathsAndMethodsAreKnown() throws {
        #expect(try action(.get, "/") == .describeInstance)
        #expect(try action(.get, "") == .describeInstance)
        #expect(try action(.get, "/version") == .describeVersion)
        #expect(try action(.get, "/machine-config/") == .describeMachine)
        #expect(try action(.get, "/vm/config") == .describeAll)
        #expect(try action(.get, "/balloon") == .describeBalloon)
        #expect(try action(.get, "/balloon/statistics") == .describeStatistics)
        #expect(try action(.get, "/balloon/hinting/status") == .describeHinting)
        #expect(try action(.put, "/actions", #"{"action_type": "InstanceStart"}"#) == .start)
        #expect(try action(.put, "/actions", #"{"action_type": "FlushMetrics"}"#) == .flushMetrics)
        #expect(try action(.put, "/actions", #"{"action_type": "SendCtrlAltDel"}"#) == .pressControlAltDelete)
        #expect(try action(.patch, "/vm", #"{"state": "Paused"}"#) == .pause)
        #expect(try action(.patch, "/vm", #"{"state": "Resumed"}"#) == .resume)
        #expect(try action(.patch, "/balloon", #"{"amount_mib": 7}"#) == .changeBalloon(amount: 7))
        #expect(
            try action(.patch, "/balloon/statistics", #"{"stats_polling_interval_s": 2}"#)
                == .changeStatistics(interval: 2))
        #expect(try action(.patch, "/balloon/hinting/start") == .startHinting(acknowledges: true))
        #expect(
            try action(.patch, "/balloon/hinting/start", #"{"acknowledge_on_stop": false}"#)
                == .startHinting(acknowledges: false))
        #expect(try action(.patch, "/balloon/hinting/stop", "{}") == .stopHinting)
        #expect(try action(.get, "/hotplug/memory") == .describeMemoryHotplug)
        #expect(
            try action(.patch, "/hotplug/memory", #"{"requested_size_mib": 6}"#) == .changeMemoryHotplug(requested: 6))
        #expect(try action(.delete, "/drives/a") == .unplug(.disk("a")))
        #expect(try action(.delete, "/network-interfaces/b") == .unplug(.network("b")))
        #expect(try action(.delete, "/pmem/c") == .unplug(.persistentMemory("c")))
        let pmem = try action(.put, "/pmem/c", #"{"id": "c", "path_on_host": "p", "read_only": true}"#)
        guard case .setPmem(let body) = pmem else { return #expect(Bool(false), "\(pmem)") }
        #expect(body.path == "p" && body.isReadOnly && !body.isRoot && body.limit == nil)
        #expect(
            message(.put, "/pmem/d", #"{"id": "c", "path_on_host": "p"}"#)
                == "The id from the path does not match the id from the body!")
        #expect(message(.put, "/pmem/c", #"{"id": "c"}"#)?.contains("missing field `path_on_host`") == true)
        #expect(message(.put, "/pmem", "{}") == "The ID cannot be empty.")
        #expect(message(.delete, "/drives") == "The ID cannot be empty.")
        #expect(message(.delete, "/drives/a", "{}") == "Empty Delete request.")
        #expect(message(.patch, "/pmem/d", #"{"id": "d", "read_only": true}"#)?.contains("unknown field") == true)
    }

    @Test func whatIsUnknownIsNamed() {
        let cases: [(HTTPRequest.Method, String, String?, String)] = [
            (.put, "/foo", "{}", "PUT foo"), (.get, "/foo/bar", nil, "GET foo"), (.get, "/vm", nil, "GET vm"),
            (.patch, "/boot-source", "{}", "PATCH boot-source"), (.get, "/drives/a", nil, "GET drives"),
            (.get, "/hotplug", nil, "GET hotplug"), (.put, "/hotplug/cpu", "{}", "PUT hotplug"),
            (.delete, "/vsock", nil, "DELETE vsock"), (.put, "/snapshot/foo", "{}", "PUT /snapshot/foo"),
        ]
        for (method, path, body, what) in cases {
            #expect(message(method, path, body) == "Invalid request method and/or path: \(what).")
        }
        #expect(message(.put, "/drives/a") == "Empty PUT request.")
        #expect(message(.patch, "/drives/a") == "Empty PATCH request.")
        #expect(message(.patch, "/machine-config", "{}") == "Empty PATCH request.")
        #expect(message(.get, "/", "{}") == "GET request cannot have a body.")
        #expect(message(.delete, "/drives/a", "{}") == "Empty Delete request.")
        #expect(message(.put, "/snapshot", "{}") == "Missing snapshot operation type.")
        #expect(message(.get, "/balloon/foo") == "Unrecognized GET request path `foo`.")
        #expect(message(.get, "/balloon/hinting") == "Unrecognized GET request path `/hinting/`.")
        #expect(message(.patch, "/balloon/hinting/foo") == "Unrecognized PATCH request path `/hinting/foo`.")
    }

    @Test func idsAreChecked() {
        let drive = #"{"drive_id": "a_1", "is_root_device": false, "path_on_host": "x"}"#
        let card = #"{"iface_id": "a_1", "host_dev_name": "x"}"#
        #expect(message(.put, "/drives/a_1", drive) == nil)
        #expect(message(.put, "/network-interfaces/a_1", card) == nil)
        #expect(message(.put, "/drives", drive) == "The ID cannot be empty.")
        #expect(message(.put, "/drives/", drive) == "The ID cannot be empty.")
        #expect(
            message(.put, "/drives/a-1", drive)
                == "API Resource IDs can only contain alphanumeric characters and underscores.")
        #expect(
            message(.put, "/drives/b", drive) == "The id from the path does not match the id from the body!")
        #expect(
            message(.put, "/network-interfaces/b", card)
                == "The id from the path [b] does not match the id from the body [a_1]!")
        #expect(
            message(.patch, "/network-interfaces/b", #"{"iface_id": "c"}"#)
                == "The id from the path [b] does not match the id from the body [c]!")
        #expect(
            message(.patch, "/drives/b", #"{"drive_id": "c"}"#)
                == "The id from the path does not match the id from the body!")
    }

    @Test func bodiesAreRead() throws {
        let limits = #"{"bandwidth": {"size": 9, "refill_time": 8, "one_time_burst": 7}, "ops": null}"#
        guard
            case .setDrive(let drive) = try action(
                .put, "/drives/a",
                #"{"drive_id": "a", "is_root_device": true, "path_on_host": "p", "is_read_only": true, "partuuid": "u", "#
                    + #""cache_type": "Writeback", "io_engine": "Async", "rate_limiter": \#(limits)}"#)
        else {
            Issue.record("no drive")
            return
        }
        #expect(drive.isRoot && drive.isReadOnly && drive.path == "p" && drive.partition == "u")
        #expect(drive.cache == .writeback && drive.engine == .asynchronous)
        let limiter = drive.limit.limiter
        #expect(limiter.bandwidth?.size == 9 && limiter.bandwidth?.refillTime == 8_000_000)
        #expect(limiter.bandwidth?.oneTimeBurst == 7 && limiter.operations == nil)
        // What was said is what is told, with all names.
        #expect(
            drive.json.encoded()
                == #"{"drive_id":"a","partuuid":"u","is_root_device":true,"cache_type":"Writeback","is_read_only":true,"#
                + #""path_on_host":"p","rate_limiter":{"bandwidth":{"size":9,"one_time_burst":7,"refill_time":8},"#
                + #""ops":null},"io_engine":"Async","socket":null}"#)
        guard
            case .setNetwork(let card) = try action(
                .put, "/network-interfaces/n",
                #"{"iface_id": "n", "host_dev_name": "t", "guest_mac": "06:00:AC:10:00:02", "mtu": 1400}"#)
        else {
            Issue.record("no card")
            return
        }
        #expect(card.address == [6, 0, 0xac, 0x10, 0, 2] && card.mtu == 1400)
        #expect(card.json["guest_mac"]?.stringValue == "06:00:ac:10:00:02")
    }

    @Test func wrongBodiesAreExplained() {
        func body(_ text: String) -> String? {
            let prefix = "An error occurred when deserializing the json body of a request: "
            guard let message = message(.put, "/boot-source", text), message.hasPrefix(prefix) else { return nil }
            return String(message.dropFirst(prefix.count))
        }
        #expect(body("{}") == "missing field `kernel_image_path` at line 1 column 2.")
        #expect(body(#"{"kernel_image_path": "a\#\u0000b"}"#)?.contains("NUL") == true)
        for (text, why) in [
            ("{", "EOF while parsing an object at line 1 column 1"),
            ("[1,\n", "EOF while parsing a value at line 2 column 0"),
            ("[", "EOF while parsing a list at line 1 column 1"), ("[1", "EOF while parsing a list at line 1 column 2"),
            (#"{"a""#, "EOF while parsing an object at line 1 column 4"),
            (#"{"a"#, "EOF while parsing a string at line 1 column 3"),
            ("", "EOF while parsing a value at line 1 column 0"),
            (#"{"a":1,}"#, "trailing comma at line 1 column 8"), ("{1}", "key must be a string at line 1 column 2"),
            (#"{"a" 1}"#, "expected `:` at line 1 column 6"), (#"{"a":1 2}"#, "expected `,` or `}` at line 1 column 8"),
            ("[1 2]", "expected `,` or `]` at line 1 column 4"), ("{} x", "trailing characters at line 1 column 4"),
            ("[1.]", "invalid number at line 1 column 4"), ("x", "expected value at line 1 column 1"),
            ("nul!", "expected ident at line 1 column 4"),
        ] { #expect(body(text) == "\(why).", "\(text)") }
        #expect(
            message(.put, "/machine-config", #"{"vcpu_count": 256, "mem_size_mib": 1}"#)?
                .hasSuffix("invalid value: integer `256`, expected u8 at line 1 column 18.") == true)
        #expect(
            message(.put, "/entropy", #"{"rate_limiter": {"ops": {"size": 1, "refill_time": 18446744073709551615}}}"#)?
                .contains("refill_time") == true)
        #expect(
            message(.put, "/logger", #"{"level": "Loud"}"#)?.hasSuffix("Invalid LevelFilter at line 1 column 17.")
                == true)
    }

    /// As Firecracker's reader of JSON counts: bytes, from 1, up to where it had come.
    @Test func theirPlaceIsNamed() {
        func place(_ body: String, _ path: String = "/boot-source") -> Substring? {
            message(.put, path, body).flatMap { message in
                message.firstRange(of: " at ").map { message[$0.upperBound...].dropLast() }
            }
        }
        #expect(
            place("5") == "line 1 column 1" && place("[]") == "line 1 column 0" && place("\n 5") == "line 2 column 2")
        #expect(place(#"{"foo" : 1}"#) == "line 1 column 7")
        #expect(place(#"{"boot_args": "\"}{[", "kernel_image_path": null}"#) == "line 1 column 48")
        #expect(place(#"{"b\u006fot_args": 5, "kernel_image_path": "k"}"#) == "line 1 column 20")
        let path = "/cpu-config"
        #expect(place(#"{"kvm_capabilities": ["1", [2, {"a": "]"}], 3]}"#, path) == "line 1 column 27")
        #expect(place(#"{"kvm_capabilities": ["1", "x" ], "msr_modifiers": []}"#, path) == "line 1 column 32")
        #expect(
            place(
                #"{"cpuid_modifiers": [{"leaf": "0x1", "subleaf": "0x0", "flags": 0, "modifiers": []}, {"leaf": "1", "#
                    + #""subleaf": "0x0", "flags": 0, "modifiers": []}]}"#, path) == "line 1 column 97")
    }

    @Test func aSnapshotsMemoryIsNamedOnce() {
        let file = #""mem_file_path": "m""#
        let backend = #""mem_backend": {"backend_type": "File", "backend_path": "m"}"#
        func load(_ members: String) -> String? {
            message(.put, "/snapshot/load", "{\"snapshot_path\": \"s\"\(members)}")
        }
        #expect(load(", \(file)") == nil)
        #expect(load(", \(backend)") == nil)
        #expect(load("")?.contains("missing field: either `mem_backend` or `mem_file_path` is required") == true)
        #expect(load(", \(file), \(backend)")?.contains("too many fields: either `mem_backend`") == true)
    }

    @Test func whatIsOnItsWayOutIsSaid() throws {
        func deprecation(_ path: String, _ body: String, _ method: HTTPRequest.Method = .put) throws -> String? {
            try Route(HTTPRequest(method, path, body: Array(body.utf8))).deprecation
        }
        #expect(
            try deprecation("/vsock", #"{"guest_cid": 3, "uds_path": "v", "vsock_id": "x"}"#)
                == "PUT /vsock: vsock_id field is deprecated.")
        #expect(try deprecation("/vsock", #"{"guest_cid": 3, "uds_path": "v"}"#) == nil)
        let whole = #"{"vcpu_count": 1, "mem_size_mib": 64, "cpu_template": "None"}"#
        for method in [HTTPRequest.Method.put, .patch] {
            #expect(
                try deprecation("/machine-config", whole, method)
                    == "\(method.rawValue) /machine-config: cpu_template field is deprecated.")
        }
        #expect(try deprecation("/machine-config", #"{"vcpu_count": 1}"#, .patch) == nil)
        let load = "PUT /snapshot/load: mem_file_path and enable_diff_snapshots fields are deprecated."
        #expect(try deprecation("/snapshot/load", #"{"snapshot_path": "s", "mem_file_path": "m"}"#) == load)
        let backend = #""snapshot_path": "s", "mem_backend": {"backend_type": "File", "backend_path": "m"}"#
        #expect(try deprecation("/snapshot/load", "{\(backend), \"enable_diff_snapshots\": true}") == load)
        #expect(try deprecation("/snapshot/load", "{\(backend), \"track_dirty_pages\": true}") == nil)
    }
}
