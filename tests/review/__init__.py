"""Tests of `xmodal_kedro.review`."""
