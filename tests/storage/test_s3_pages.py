"""A page of a listing is read as botocore reads it."""

from datetime import UTC, datetime

from extras import extra

from segcli.storage import s3_pages

PAGE = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><Prefix>in/</Prefix>
<KeyCount>2</KeyCount><IsTruncated>true</IsTruncated><NextContinuationToken>to&amp;ken</NextContinuationToken>
<Contents><Key>in/a&amp;b%20c.jpg</Key><LastModified>2026-11-27T01:02:03.000Z</LastModified>
<ETag>&quot;0123&quot;</ETag><Size>17</Size><Owner><ID>me</ID></Owner></Contents>
<Contents><Key>in/ \xc3\xbc.png</Key><LastModified>2026-11-27T01:02:03Z</LastModified><Size>0</Size></Contents>
<EncodingType>url</EncodingType></ListBucketResult>"""
FACTS = ("Key", "Size", "ETag", "LastModified")


def read(body: bytes, status: int = 200) -> tuple[dict, dict]:
    answer, more = {"status_code": status, "body": body, "headers": {}}, {}
    s3_pages.read(response_dict=answer, customized_response_dict=more, operation_model=None)
    return answer, more


def test_the_objects_are_taken_out():
    answer, more = read(PAGE)
    then = datetime(2026, 11, 27, 1, 2, 3, tzinfo=UTC)
    assert more["Contents"] == [
        {"Key": "in/a&b%20c.jpg", "Size": 17, "ETag": '"0123"', "LastModified": then},
        {"Key": "in/ \u00fc.png", "Size": 0, "LastModified": then},
    ]
    assert b"Contents" not in answer["body"]


def test_botocore_says_the_same_of_it():
    session = extra("botocore.session").get_session()
    parsers = extra("botocore.parsers")
    shape = session.get_service_model("s3").operation_model("ListObjectsV2").output_shape
    parse = parsers.create_parser("rest-xml").parse
    whole = parse({"status_code": 200, "body": PAGE, "headers": {}}, shape)
    answer, more = read(PAGE)
    found = parse(answer, shape) | more
    whole["Contents"] = [{key: one[key] for key in FACTS if key in one} for one in whole["Contents"]]
    assert found == whole


def test_strange_pages_are_left_to_botocore():
    no_zone = PAGE.replace(b"03Z", b"03")
    for body in (PAGE[:-9], PAGE.replace(b"<Size>17</Size>", b""), b"", b"<Error/>", no_zone):
        assert read(body) == ({"status_code": 200, "body": body, "headers": {}}, {})
    assert read(PAGE, status=503)[1] == {}
